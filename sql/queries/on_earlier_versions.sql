-- Subscriptions on an earlier version of a plan than one of which its customers get notice (B18), by
-- customer; those that know of it are left out. With `version_id` NULL: on any version of `plan_id`,
-- for a price that is only thought of. `customer_ids` NULL: of everybody, after `after`.
SELECT s.customer_id, s.subscription_id, s.org_id, s.username, p.profile_id, v.plan_version_id,
    v.version, v.price_micros, b.billed_until,
    (cardinality(c.alert_addresses || c.alert_numbers) > 0 OR COALESCE(c.email, '') <> '') AS has_address
FROM plan_version v
JOIN subscription s ON s.plan_version_id = v.plan_version_id
JOIN customer c ON c.customer_id = s.customer_id
JOIN billing_profile p ON p.profile_id = COALESCE(s.profile_id, c.profile_id)
LEFT JOIN plan_version n ON n.plan_version_id = %(version_id)s
LEFT JOIN LATERAL (
    SELECT max(COALESCE(i.plan_until, i.cycle_until)) AS billed_until FROM invoice i
    WHERE i.customer_id = s.customer_id AND i.subscription_id = s.subscription_id
      AND i.voided_at IS NULL
) b ON true
WHERE v.plan_id = %(plan_id)s AND s.closed_at IS NULL AND c.closed_at IS NULL
  AND (n.version IS NULL OR v.version < n.version)
  AND (%(customer_ids)s::bigint[] IS NULL OR s.customer_id = ANY (%(customer_ids)s))
  AND s.customer_id > %(after)s
  AND NOT EXISTS (
    SELECT 1 FROM plan_change k
    WHERE k.customer_id = s.customer_id AND k.subscription_id = s.subscription_id
      AND k.to_version_id = n.plan_version_id AND k.kind = 'price')
ORDER BY s.customer_id, s.subscription_id LIMIT %(most)s

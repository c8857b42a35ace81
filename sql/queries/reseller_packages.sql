-- Packages of a reseller's customers, by pairs of subscription and package, in the order of their ends.
SELECT s.subscription_id, s.username, c.name AS customer_name, e.entitlement_id, v.plan_id,
    p.name AS plan_name, e.valid_until AS ends_at
FROM unnest(%(subscription_ids)s::bigint[], %(entitlement_ids)s::bigint[])
    AS w(subscription_id, entitlement_id)
JOIN subscription s ON s.subscription_id = w.subscription_id
JOIN customer c ON c.customer_id = s.customer_id
JOIN entitlement e ON e.customer_id = s.customer_id AND e.subscription_id = s.subscription_id
    AND e.entitlement_id = w.entitlement_id
JOIN plan_version v ON v.plan_version_id = e.plan_version_id
JOIN plan p ON p.plan_id = v.plan_id
WHERE s.org_id = %(org_id)s AND e.valid_until IS NOT NULL
ORDER BY e.valid_until, s.subscription_id

-- Subscriptions of a reseller's customers whose last package ends from one instant up to another, with
-- that package and its plan; those that end first come first. `text`: whose name, user name or phone
-- has it; NULL for all.
SELECT s.subscription_id, s.username, c.name AS customer_name, e.entitlement_id, v.plan_id,
    p.name AS plan_name, e.valid_until AS ends_at
FROM subscription s
JOIN customer c ON c.customer_id = s.customer_id AND c.closed_at IS NULL
JOIN LATERAL (SELECT e.entitlement_id, e.plan_version_id, e.valid_until FROM entitlement e
              WHERE e.customer_id = s.customer_id AND e.subscription_id = s.subscription_id
              ORDER BY e.entitlement_id DESC LIMIT 1) e ON true
JOIN plan_version v ON v.plan_version_id = e.plan_version_id
JOIN plan p ON p.plan_id = v.plan_id
WHERE s.org_id = %(org_id)s AND s.closed_at IS NULL
  AND e.valid_until >= %(since)s AND e.valid_until <= %(until)s
  AND NOT EXISTS (SELECT 1 FROM voucher l WHERE l.customer_id = s.customer_id AND l.login_name IS NOT NULL)
  AND (%(text)s::text IS NULL OR strpos(lower(c.name), lower(%(text)s)) > 0
       OR strpos(lower(s.username), lower(%(text)s)) > 0 OR strpos(c.phone, %(text)s) > 0)
ORDER BY e.valid_until, s.subscription_id
LIMIT %(most)s

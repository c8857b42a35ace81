-- What names a pool, and for which kind of subscribers: plans in any version, billing profiles.
SELECT DISTINCT 'plan' AS sort, p.name, named.kind
FROM plan p JOIN plan_version v ON v.plan_id = p.plan_id
CROSS JOIN LATERAL (VALUES (v.pool, 'normal'), (v.pay_only_pool, 'suspended'))
    AS named(pool, kind)
WHERE p.archived_at IS NULL AND named.pool = :name
UNION
SELECT 'billing profile', b.name, 'suspended' FROM billing_profile b
WHERE b.archived_at IS NULL AND b.suspended_pool = :name
ORDER BY 1, 2, 3

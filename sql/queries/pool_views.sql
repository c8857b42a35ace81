-- The pools that the caller may see, with how their addresses are used at :now.
SELECT p.pool_id, p.org_id, p.name, p.kind, p.ranges, host(p.netmask) AS netmask, p.created_at,
    (SELECT count(*) FROM pool_address a WHERE a.pool_id = p.pool_id) AS addresses,
    used.running, used.waiting
FROM address_pool p
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE l.state = 'running') AS running,
        count(*) FILTER (WHERE l.state = 'waiting') AS waiting
    FROM pool_leases_v1(:now, p.pool_id) l
) used
WHERE CAST(:pool_id AS bigint) IS NULL OR p.pool_id = :pool_id
ORDER BY p.name, p.pool_id

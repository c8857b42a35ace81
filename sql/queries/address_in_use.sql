-- The pool of ours that an address belongs to, and the user name that has it now, if anybody.
SELECT p.name AS pool, s.username
FROM pool_address a
JOIN address_pool p ON p.pool_id = a.pool_id
JOIN LATERAL (
    SELECT l.customer_id, l.subscription_id FROM pool_leases_v1(:now, a.pool_id) l
    WHERE l.address = a.address AND l.state <> 'ended'
) lease ON true
LEFT JOIN subscription s ON s.customer_id = lease.customer_id
    AND s.subscription_id = lease.subscription_id
WHERE a.org_id = :org_id AND a.address = CAST(:address AS inet)

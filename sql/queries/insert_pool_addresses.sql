-- Every address of a range as a free one of the pool.
INSERT INTO pool_address (pool_id, address, org_id)
SELECT :pool_id, CAST(:first AS inet) + n, :org_id
FROM generate_series(0, CAST(:size AS bigint) - 1) AS n

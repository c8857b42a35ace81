-- Port blocks of a file; one that is known gets its end. Returns how many were added, and how many of the
-- known ones end otherwise now.
WITH stored AS (
    INSERT INTO nat_block AS b (org_id, outer_address, first_port, last_port, inner_address, since, until)
    SELECT CAST(:org_id AS bigint), f.* FROM unnest(
        CAST(:outer_address AS inet[]), CAST(:first_port AS int[]), CAST(:last_port AS int[]),
        CAST(:inner_address AS inet[]), CAST(:since AS timestamptz[]), CAST(:until AS timestamptz[])) AS f
    ON CONFLICT (outer_address, first_port, since, inner_address, org_id) DO UPDATE
        SET last_port = EXCLUDED.last_port, until = EXCLUDED.until
        WHERE (b.last_port, b.until) IS DISTINCT FROM (EXCLUDED.last_port, EXCLUDED.until)
    RETURNING b.xmax = 0 AS is_new
)
SELECT count(*) FILTER (WHERE is_new) AS added, count(*) FILTER (WHERE NOT is_new) AS changed FROM stored

-- Make addresses of leases that have ended free for others; returns how many. At most p_looks leases
-- are looked at, from p_from on in the order of addresses, so that a large pool in full use costs a
-- login no more than that. Who holds a row at the moment is passed over, never waited for.
CREATE FUNCTION reclaim_addresses_v1(
    p_now timestamptz, p_pool_id bigint, p_from inet, p_looks int
) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    v_address inet[];
    v_leased_at timestamptz[];
    v_freed int;
BEGIN
    SELECT array_agg(l.address), array_agg(l.leased_at) INTO v_address, v_leased_at
    FROM (
        SELECT * FROM pool_leases_v1(p_now, p_pool_id) x
        WHERE x.address >= p_from ORDER BY x.address LIMIT p_looks
    ) l
    WHERE l.state = 'ended';

    WITH held AS MATERIALIZED (
        SELECT a.pool_id, a.address FROM unnest(v_address, v_leased_at) AS e(address, leased_at)
        JOIN pool_address a ON a.pool_id = p_pool_id AND a.address = e.address
            AND a.leased_at = e.leased_at
        FOR UPDATE OF a SKIP LOCKED
    )
    UPDATE pool_address a SET leased_at = NULL, freed_at = p_now FROM held h
    WHERE a.pool_id = h.pool_id AND a.address = h.address;
    GET DIAGNOSTICS v_freed = ROW_COUNT;
    RETURN v_freed;
END $$;

-- An address of our pool for one login (rule A6), NULL when the pool is exhausted. In this order:
-- what this subscription and station have or had, so that a resend or a reconnect keeps its address;
-- the address that has been free for longest; one whose lease has ended meanwhile. What is fixed for
-- a subscription is never given to another. The customer's row is locked; rows of the pool are passed
-- over while another login holds them, so nobody waits and no address goes out twice.
CREATE FUNCTION lease_address_v1(
    p_now timestamptz, p_pool_id bigint, p_customer_id bigint, p_subscription_id bigint,
    p_station text, p_silence_seconds int
) RETURNS inet LANGUAGE plpgsql AS $$
DECLARE
    c_looks constant int := 1024;
    v_address inet;
    v_first inet;
    v_from inet;
BEGIN
    -- Without a station, two sessions of a subscription cannot be told apart: what one has is not
    -- given to the other.
    SELECT a.address INTO v_address FROM pool_address a
    WHERE a.customer_id = p_customer_id AND a.subscription_id = p_subscription_id
      AND a.pool_id = p_pool_id AND a.calling_station IS NOT DISTINCT FROM p_station
      AND (p_station IS NOT NULL OR a.leased_at IS NULL)
      AND NOT EXISTS (SELECT 1 FROM subscription f WHERE f.framed_ip = a.address
                      AND f.closed_at IS NULL AND f.subscription_id <> p_subscription_id)
    ORDER BY a.leased_at DESC NULLS LAST LIMIT 1 FOR UPDATE OF a SKIP LOCKED;

    FOR v_try IN 0..2 LOOP
        EXIT WHEN v_address IS NOT NULL;
        IF v_try = 1 THEN
            SELECT min(a.address), min(a.address)
                + floor(random() * (max(a.address) - min(a.address) + 1))::bigint
            INTO v_first, v_from FROM pool_address a WHERE a.pool_id = p_pool_id;
            CONTINUE WHEN reclaim_addresses_v1(p_now, p_pool_id, v_from, c_looks) = 0;
        ELSIF v_try = 2 THEN
            EXIT WHEN reclaim_addresses_v1(p_now, p_pool_id, v_first, c_looks) = 0;
        END IF;
        SELECT a.address INTO v_address FROM pool_address a
        WHERE a.pool_id = p_pool_id AND a.leased_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM subscription f WHERE f.framed_ip = a.address
                          AND f.closed_at IS NULL AND f.subscription_id <> p_subscription_id)
        ORDER BY a.freed_at NULLS FIRST, a.address LIMIT 1 FOR UPDATE OF a SKIP LOCKED;
    END LOOP;

    UPDATE pool_address a SET customer_id = p_customer_id, subscription_id = p_subscription_id,
        calling_station = p_station, leased_at = p_now, freed_at = NULL,
        silence_seconds = p_silence_seconds,
        after_session_id = COALESCE((SELECT max(v.session_id) FROM live_session v
                                     WHERE v.customer_id = p_customer_id), 0)
    WHERE a.pool_id = p_pool_id AND a.address = v_address;
    RETURN v_address;
END $$;

-- What must be taken before a verified login may be answered (rules A1, A6, A7, B2, Q4): a session
-- slot, a slice of the allowance, an address of our own pools, the start of a first-login package;
-- and the line of history with what came of it. One call a batch. Customers are locked by id, then
-- the logins are taken in their order.
--
-- p_session_limit, p_pool_id, p_entitlement_id, p_grant_version_id (the version of a plan with
-- strict sharing): 0 where the login needs none. p_silence_seconds: for how long a session of this
-- service may be silent and still hold its place (U10). p_nas_can: what its NAS can do about a grant.
-- The rest is as in record_logins_v1. Gives, for each login in `ord`, the reason that it ends with
-- (its own where it is granted), its address, and its grant with the limits that follow from it. Safe
-- to repeat: the same station gets the same slot and address again, and another grant.
CREATE FUNCTION admit_logins_v1(
    p_now timestamptz, p_username text[], p_customer_id bigint[], p_subscription_id bigint[],
    p_nas_address inet[], p_station text[], p_outcome text[],
    p_reason text[], p_entitlement_id bigint[], p_at timestamptz[],
    p_session_limit int[], p_pool_id bigint[], p_silence_seconds int[],
    p_grant_version_id bigint[], p_nas_can int[]
) RETURNS TABLE (
    ord int, reason text, address text, netmask text, reservation_id bigint, limit_seconds bigint,
    granted_octets bigint, limit_input_octets bigint, limit_output_octets bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_outcome text[] := p_outcome;
    v_reason text[] := p_reason;
    v_entitlement_id bigint[] := p_entitlement_id;
    v_address inet[] := array_fill(NULL::inet, ARRAY[cardinality(p_username)]);
    v_exhausted bigint[] := ARRAY[]::bigint[];
    v_grant bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(p_username)]);
    v_slot_id bigint;
    v_at timestamptz;
    v_orders int := 0;
BEGIN
    PERFORM 1 FROM customer WHERE customer_id = ANY (p_customer_id)
    ORDER BY customer_id FOR NO KEY UPDATE;

    FOR i IN 1..cardinality(p_username) LOOP
        CONTINUE WHEN p_outcome[i] = 'reject';
        v_slot_id := NULL;
        IF p_entitlement_id[i] > 0 AND EXISTS (
            SELECT 1 FROM entitlement e
            WHERE e.customer_id = p_customer_id[i] AND e.entitlement_id = p_entitlement_id[i]
              AND e.ended_at IS NOT NULL)
        THEN
            -- Taken away since the decision: a voucher that was redeemed elsewhere, revoked, or has
            -- lapsed must not be used once more (R3).
            v_reason[i] := 'no-entitlement';
        ELSIF p_session_limit[i] > 0 THEN
            v_slot_id := take_slot_v1(p_now, p_customer_id[i], p_subscription_id[i], p_station[i],
                                      p_session_limit[i], p_silence_seconds[i]);
            IF v_slot_id IS NULL THEN
                v_reason[i] := 'too-many-sessions';
            END IF;
        END IF;
        IF p_grant_version_id[i] > 0 AND v_reason[i] = p_reason[i] THEN
            -- The package that it was to begin may have been begun while it waited for the customer.
            v_at := GREATEST(p_now, (
                SELECT e.valid_from FROM entitlement e
                WHERE e.customer_id = p_customer_id[i]
                  AND e.entitlement_id = p_entitlement_id[i]));
            v_grant[i] := take_grant_v1(v_at, p_customer_id[i], p_subscription_id[i],
                p_nas_address[i], p_station[i], p_grant_version_id[i], p_nas_can[i]);
            IF v_grant[i] IS NULL THEN
                v_reason[i] := 'allowance-in-use';
            END IF;
        END IF;
        IF p_pool_id[i] > 0 AND v_reason[i] = p_reason[i] THEN
            -- Looking for a free one in vain is dear, so it is done once; who has one keeps it.
            IF p_pool_id[i] <> ALL (v_exhausted) OR EXISTS (
                SELECT 1 FROM pool_address a
                WHERE a.customer_id = p_customer_id[i] AND a.subscription_id = p_subscription_id[i]
                  AND a.pool_id = p_pool_id[i])
            THEN
                v_address[i] := lease_address_v1(p_now, p_pool_id[i], p_customer_id[i],
                    p_subscription_id[i], p_station[i], p_silence_seconds[i]);
            END IF;
            IF v_address[i] IS NULL THEN
                v_reason[i] := 'pool-exhausted';
                v_exhausted := v_exhausted || p_pool_id[i];
            END IF;
        END IF;
        IF v_reason[i] <> p_reason[i] THEN
            DELETE FROM session_slot k
            WHERE k.customer_id = p_customer_id[i] AND k.slot_id = v_slot_id;
            DELETE FROM reservation g
            WHERE g.customer_id = p_customer_id[i] AND g.reservation_id = v_grant[i];
            v_outcome[i] := 'reject';
            v_entitlement_id[i] := 0;
        ELSIF p_station[i] IS NOT NULL AND p_session_limit[i] + p_pool_id[i] > 0 THEN
            v_orders := v_orders + end_taken_over_v1(p_now, p_customer_id[i], p_subscription_id[i],
                p_nas_address[i], p_station[i], p_silence_seconds[i]);
        END IF;
    END LOOP;

    PERFORM record_logins_v1(p_now, p_username, p_customer_id, p_subscription_id, p_nas_address,
        p_station, v_outcome, v_reason, v_entitlement_id, p_at);
    IF v_orders > 0 THEN
        PERFORM pg_notify('tollway_coa', '');
    END IF;
    RETURN QUERY
    SELECT r.ord::int, r.reason, host(r.address), host(p.netmask), g.reservation_id,
        g.limit_seconds, g.granted_octets, g.limit_input_octets, g.limit_output_octets
    FROM unnest(v_reason, v_address, p_pool_id, p_customer_id, v_grant)
        WITH ORDINALITY AS r(reason, address, pool_id, customer_id, reservation_id, ord)
    LEFT JOIN reservation g
        ON g.customer_id = r.customer_id AND g.reservation_id = r.reservation_id
    LEFT JOIN address_pool p ON p.pool_id = r.pool_id AND r.address IS NOT NULL;
END $$;

-- A slice of what is left for one login (rule Q4): the id of its reservation, NULL where nothing is
-- left that other sessions do not hold. The customer's row is locked, so that no two logins reserve
-- the same. Every login takes a slice of its own, the same station too: its NAS may be serving the
-- one before, whose Start is lost. p_nas_can: billing.model.grants.NasCan.
CREATE FUNCTION take_grant_v1(
    p_now timestamptz, p_customer_id bigint, p_subscription_id bigint, p_nas_address inet,
    p_station text, p_plan_version_id bigint, p_nas_can int
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    c_limits_each constant int := 2;
    v_slice record;
    v_seconds bigint;
    v_octets bigint;
    v_input bigint;
    v_limit bigint;
    v_reservation_id bigint;
BEGIN
    PERFORM settle_grants_v1(p_now, ARRAY[p_customer_id]);
    SELECT CASE WHEN f.seconds_left IS NOT NULL THEN LEAST(p.slice_seconds, f.seconds_left)
           END AS seconds,
        CASE WHEN f.octets_left IS NOT NULL THEN LEAST(p.slice_octets, f.octets_left) END AS octets,
        p.grant_valid_seconds
    INTO STRICT v_slice
    FROM plan_version p
    CROSS JOIN reservable_v1(p_now, p_customer_id, p_subscription_id) f
    WHERE p.plan_version_id = p_plan_version_id;
    v_seconds := v_slice.seconds;
    v_octets := v_slice.octets;
    -- No limit may be 0, which some NAS read as unlimited (A5): two directions need two octets.
    IF v_seconds < 1 OR v_octets < (CASE WHEN p_nas_can & c_limits_each > 0 THEN 2 ELSE 1 END) THEN
        RETURN NULL;
    END IF;
    IF p_nas_can & c_limits_each > 0 THEN
        v_input := v_octets / 2;
    END IF;
    v_limit := LEAST(v_seconds, v_slice.grant_valid_seconds);
    INSERT INTO reservation (customer_id, org_id, subscription_id, plan_version_id, nas_id,
        calling_station, after_session_id, state, taken_at, valid_until, granted_seconds,
        granted_octets, limit_seconds, limit_input_octets, limit_output_octets, nas_can)
    SELECT s.customer_id, s.org_id, s.subscription_id, p_plan_version_id, COALESCE(n.nas_id, 0),
        p_station,
        COALESCE((SELECT max(v.session_id) FROM live_session v
                  WHERE v.customer_id = p_customer_id), 0),
        'held', p_now, p_now + make_interval(secs => v_limit), v_seconds,
        v_octets, v_limit, v_input, v_octets - v_input, p_nas_can
    FROM subscription s LEFT JOIN nas n ON n.address = p_nas_address
    WHERE s.customer_id = p_customer_id AND s.subscription_id = p_subscription_id
    RETURNING reservation_id INTO v_reservation_id;
    UPDATE subscription s SET reserves = true
    WHERE s.customer_id = p_customer_id AND s.subscription_id = p_subscription_id
      AND NOT s.reserves;
    RETURN v_reservation_id;
END $$;

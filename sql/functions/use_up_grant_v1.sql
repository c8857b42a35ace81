-- Nothing more can be reserved for a running session (RFC 8506 5.6, rule Q4): what its plan wants
-- done with it, once. Where its NAS has a limit and the plan has no other wish, that ends it. A NAS
-- without a limit of octets is told to when they are used (p_octets_used); one that fences in does it
-- before the time is over (p_time_ends). Returns the number of orders.
CREATE FUNCTION use_up_grant_v1(
    p_now timestamptz, p_customer_id bigint, p_reservation_id bigint, p_octets_used boolean,
    p_time_ends boolean
) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    c_limits_octets constant int := 1 | 2;
    c_restricts constant int := 16;
    c_fences constant int := 32;
    v record;
    v_goal text;
BEGIN
    SELECT r.session_id, r.nas_can, r.restricted_at, p.final_unit_action INTO STRICT v
    FROM reservation r JOIN plan_version p ON p.plan_version_id = r.plan_version_id
    WHERE r.customer_id = p_customer_id AND r.reservation_id = p_reservation_id;
    UPDATE reservation r SET final_at = COALESCE(r.final_at, p_now)
    WHERE r.customer_id = p_customer_id AND r.reservation_id = p_reservation_id;
    v_goal := CASE
        WHEN v.restricted_at IS NOT NULL THEN NULL
        WHEN v.final_unit_action = 'restrict-speed' AND v.nas_can & c_restricts > 0 THEN 'restrict'
        WHEN v.final_unit_action = 'redirect' AND v.nas_can & c_fences > 0
            AND (p_octets_used OR p_time_ends) THEN 'suspend'
        WHEN v.nas_can & c_limits_octets = 0 AND p_octets_used THEN 'disconnect' END;
    IF v_goal IS NULL OR EXISTS (
        SELECT 1 FROM coa_intent i
        WHERE i.customer_id = p_customer_id AND i.session_id = v.session_id AND i.goal = v_goal
          AND i.reason = 'allowance-in-use' AND i.state <> 'cancelled'
          AND v_goal <> 'restrict'
    ) THEN
        RETURN 0;
    END IF;
    IF v_goal = 'restrict' THEN
        UPDATE reservation r SET restricted_at = p_now
        WHERE r.customer_id = p_customer_id AND r.reservation_id = p_reservation_id;
    END IF;
    RETURN order_change_v1(p_now, p_customer_id, v.session_id, v_goal, 'allowance-in-use');
END $$;

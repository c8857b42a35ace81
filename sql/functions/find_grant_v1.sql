-- The reservation that a session holds (rule Q4), NULL when none. A session that has just shown is
-- tied to that of its login: by the number in our Class, which is a hint (U3), else by its station,
-- the oldest first. One whose reservation has lapsed although it runs takes again what its NAS still
-- allows it, as far as there is any. Customers are locked.
CREATE FUNCTION find_grant_v1(p_now timestamptz, p_customer_id bigint, p_session_id bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_session live_session;
    v_hint bigint;
    v_reservation_id bigint;
BEGIN
    SELECT r.reservation_id INTO v_reservation_id FROM reservation r
    WHERE r.customer_id = p_customer_id AND r.session_id = p_session_id AND r.state = 'held';
    IF FOUND THEN
        RETURN v_reservation_id;
    END IF;
    SELECT * INTO STRICT v_session FROM live_session v
    WHERE v.customer_id = p_customer_id AND v.session_id = p_session_id;
    v_hint := substring(v_session.session_class FROM '^tw1:[0-9]+:n([0-9]{1,18})(:|$)')::bigint;

    UPDATE reservation r SET session_id = p_session_id
    FROM (
        SELECT w.reservation_id FROM reservation w
        WHERE w.customer_id = p_customer_id AND w.subscription_id = v_session.subscription_id
          AND w.state = 'held' AND w.session_id IS NULL AND w.nas_id = v_session.nas_id
          AND w.after_session_id < p_session_id
          AND (w.reservation_id = v_hint OR v_session.calling_station IS NULL
               OR w.calling_station = v_session.calling_station)
        ORDER BY COALESCE(w.reservation_id = v_hint, false) DESC, w.reservation_id LIMIT 1
    ) x
    WHERE r.customer_id = p_customer_id AND r.reservation_id = x.reservation_id
      AND NOT EXISTS (SELECT 1 FROM reservation o
                      WHERE o.customer_id = p_customer_id AND o.session_id = p_session_id)
    RETURNING r.reservation_id INTO v_reservation_id;
    IF NOT FOUND AND v_session.closed_at IS NULL THEN
        INSERT INTO reservation (customer_id, org_id, subscription_id, plan_version_id, nas_id,
            calling_station, after_session_id, session_id, state, taken_at, valid_until,
            granted_seconds, granted_octets, used_seconds, used_input_octets, used_output_octets,
            limit_seconds, limit_input_octets, limit_output_octets, nas_can)
        SELECT o.customer_id, o.org_id, o.subscription_id, o.plan_version_id, o.nas_id,
            o.calling_station, o.after_session_id, p_session_id, 'held', p_now, o.valid_until,
            n.seconds, n.octets, v_session.session_seconds, v_session.input_octets,
            v_session.output_octets, o.limit_seconds,
            CASE WHEN o.limit_input_octets IS NOT NULL
                THEN LEAST(GREATEST(o.limit_input_octets, v_session.input_octets), n.octets) END,
            CASE WHEN o.limit_input_octets IS NOT NULL THEN n.octets
                - LEAST(GREATEST(o.limit_input_octets, v_session.input_octets), n.octets) END,
            o.nas_can
        FROM reservation o
        CROSS JOIN reservable_v1(p_now, p_customer_id, v_session.subscription_id) f
        CROSS JOIN LATERAL (
            SELECT CASE WHEN o.granted_seconds IS NOT NULL THEN v_session.session_seconds + LEAST(
                    GREATEST(o.granted_seconds - v_session.session_seconds, 1), f.seconds_left)
                    END AS seconds,
                CASE WHEN o.granted_octets IS NOT NULL THEN u.octets + LEAST(
                    GREATEST(o.granted_octets - u.octets, 1), f.octets_left) END AS octets
            FROM (SELECT v_session.input_octets + v_session.output_octets AS octets) u
        ) n
        WHERE o.customer_id = p_customer_id AND o.subscription_id = v_session.subscription_id
          AND (o.session_id = p_session_id
               OR o.session_id IS NULL AND o.state = 'released' AND o.reservation_id = v_hint)
          AND COALESCE(f.seconds_left, 1) > 0 AND COALESCE(f.octets_left, 1) > 0
        ORDER BY o.reservation_id DESC LIMIT 1
        RETURNING reservation_id INTO v_reservation_id;
    END IF;
    RETURN v_reservation_id;
END $$;

-- Another slice for a session that is near the end of its own (rule Q4): 70 % of a slice are used, or
-- the rest would not last for another interval like the last one (p_added_*); and longer validity,
-- which its reports renew. New limits are ordered in the same transaction. Where no CoA changes a
-- limit, nothing is reserved for it: the session ends there, and its next login takes a slice.
-- Returns the number of orders. The customer is locked.
CREATE FUNCTION top_up_v1(
    p_now timestamptz, p_customer_id bigint, p_reservation_id bigint, p_added_seconds bigint,
    p_added_octets bigint
) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    c_limits_octets constant int := 1 | 2;
    c_moves_time constant int := 4;
    c_moves_octets constant int := 8;
    r record;
    n record;
    v_orders int := 0;
BEGIN
    -- What is there, and what is to be added to it.
    SELECT x.*,
        CASE WHEN x.seconds_low THEN GREATEST(LEAST(x.slice_seconds, x.seconds_left), 0)
             ELSE 0 END AS more_seconds,
        CASE WHEN x.octets_low THEN GREATEST(LEAST(x.slice_octets, x.octets_left), 0)
             ELSE 0 END AS more_octets
    INTO STRICT r
    FROM (
        SELECT g.*, p.slice_seconds, p.slice_octets, p.grant_valid_seconds,
            f.seconds_left, f.octets_left, u.octets AS used_octets,
            f.seconds_left IS NOT NULL AND g.nas_can & c_moves_time > 0
                AND COALESCE(g.granted_seconds - g.used_seconds
                             <= GREATEST(p.slice_seconds::numeric * 3 / 10, p_added_seconds), true)
                AS seconds_low,
            f.octets_left IS NOT NULL
                AND (g.nas_can & c_moves_octets > 0 OR g.nas_can & c_limits_octets = 0)
                AND COALESCE(COALESCE(2::numeric * LEAST(g.limit_input_octets - g.used_input_octets,
                                                g.limit_output_octets - g.used_output_octets),
                                      g.granted_octets - u.octets)
                             <= GREATEST(p.slice_octets::numeric * 3 / 10, p_added_octets), true)
                AS octets_low,
            g.nas_can & c_moves_time > 0 AND g.limit_seconds - g.used_seconds
                <= GREATEST(p.grant_valid_seconds * 3 / 10, p_added_seconds) AS ends_soon
        FROM reservation g
        JOIN plan_version p ON p.plan_version_id = g.plan_version_id
        CROSS JOIN LATERAL (SELECT g.used_input_octets + g.used_output_octets) u(octets)
        CROSS JOIN reservable_v1(p_now, g.customer_id, g.subscription_id) f
        WHERE g.customer_id = p_customer_id AND g.reservation_id = p_reservation_id
    ) x;
    IF NOT (r.seconds_low OR r.octets_low OR r.ends_soon) THEN
        RETURN 0;
    END IF;

    -- Each direction keeps what it has, and gets of the new as it has used, but a tenth at least.
    SELECT w.seconds, w.octets,
        CASE WHEN r.ends_soon OR r.more_seconds > 0
            THEN GREATEST(LEAST(w.seconds, r.used_seconds + r.grant_valid_seconds), r.limit_seconds)
            ELSE r.limit_seconds END AS limit_seconds,
        r.used_input_octets + LEAST(
            GREATEST(r.limit_input_octets - r.used_input_octets, 0) + GREATEST(LEAST(
                r.more_octets::numeric * (r.used_input_octets + 1) / (r.used_octets + 2),
                r.more_octets::numeric * 9 / 10), r.more_octets / 10)::bigint,
            w.octets - r.used_octets) AS limit_input_octets
    INTO STRICT n
    FROM (
        SELECT CASE WHEN r.more_seconds > 0
                THEN GREATEST(COALESCE(r.granted_seconds, 0), r.used_seconds) + r.more_seconds
                ELSE r.granted_seconds END AS seconds,
            CASE WHEN r.more_octets > 0
                THEN GREATEST(COALESCE(r.granted_octets, 0), r.used_octets) + r.more_octets
                ELSE r.granted_octets END AS octets
    ) w;
    UPDATE reservation g SET granted_seconds = n.seconds, granted_octets = n.octets,
        limit_seconds = n.limit_seconds,
        limit_input_octets = CASE WHEN r.more_octets > 0 AND g.limit_input_octets IS NOT NULL
            THEN n.limit_input_octets ELSE g.limit_input_octets END,
        limit_output_octets = CASE WHEN r.more_octets > 0 AND g.limit_input_octets IS NOT NULL
            THEN n.octets - n.limit_input_octets ELSE g.limit_output_octets END,
        valid_until = CASE WHEN n.limit_seconds > r.limit_seconds
            THEN p_now + make_interval(secs => n.limit_seconds - r.used_seconds)
            ELSE g.valid_until END,
        final_at = CASE WHEN r.more_seconds + r.more_octets > 0 THEN NULL ELSE g.final_at END,
        restricted_at = CASE WHEN r.more_seconds + r.more_octets > 0 THEN NULL
            ELSE g.restricted_at END
    WHERE g.customer_id = p_customer_id AND g.reservation_id = p_reservation_id;

    IF n.limit_seconds > r.limit_seconds OR r.more_octets > 0 AND r.nas_can & c_moves_octets > 0 THEN
        v_orders := order_change_v1(p_now, p_customer_id, r.session_id,
            CASE WHEN r.restricted_at IS NULL THEN 'grant' ELSE 'refresh' END, 'topped-up');
    END IF;
    IF r.seconds_low AND r.more_seconds = 0 OR r.octets_low AND r.more_octets = 0 THEN
        v_orders := v_orders + use_up_grant_v1(p_now, p_customer_id, p_reservation_id,
            r.octets_low AND r.used_octets >= r.granted_octets,
            r.seconds_low AND r.more_seconds = 0);
    END IF;
    RETURN v_orders;
END $$;

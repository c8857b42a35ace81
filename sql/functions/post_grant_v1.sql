-- What the meter has just charged to a session is posted against its reservation (rule Q4), in the
-- same transaction as against the packages. Totals are set, not added: a record that comes again posts
-- nothing. A session that has ended gives the rest back, once (not one that only fell silent:
-- settle_grants_v1); one that runs is topped up. Returns the number of orders. Customers are locked.
CREATE FUNCTION post_grant_v1(p_now timestamptz, p_customer_id bigint, p_session_id bigint)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    v_reservation_id bigint := find_grant_v1(p_now, p_customer_id, p_session_id);
    v_before reservation;
    v_session live_session;
    v_has_ended boolean;
BEGIN
    IF v_reservation_id IS NULL THEN
        RETURN 0;
    END IF;
    SELECT * INTO STRICT v_before FROM reservation r
    WHERE r.customer_id = p_customer_id AND r.reservation_id = v_reservation_id;
    SELECT * INTO STRICT v_session FROM live_session v
    WHERE v.customer_id = p_customer_id AND v.session_id = p_session_id;
    v_has_ended := v_session.closed_at IS NOT NULL
        AND v_session.terminate_cause IS DISTINCT FROM 'Lost-Stop';
    UPDATE reservation r SET used_seconds = v_session.session_seconds,
        used_input_octets = v_session.input_octets,
        used_output_octets = v_session.output_octets,
        state = CASE WHEN v_has_ended THEN 'posted' ELSE 'held' END,
        ended_at = CASE WHEN v_has_ended THEN p_now END
    WHERE r.customer_id = p_customer_id AND r.reservation_id = v_reservation_id
      AND r.state = 'held';
    IF v_session.closed_at IS NOT NULL THEN
        RETURN 0;
    END IF;
    RETURN top_up_v1(p_now, p_customer_id, v_reservation_id,
        v_session.session_seconds - v_before.used_seconds,
        v_session.input_octets + v_session.output_octets
            - v_before.used_input_octets - v_before.used_output_octets);
END $$;

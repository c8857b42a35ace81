-- What the meter has just charged to these sessions is posted against their reservations (rule Q4),
-- in the same transaction as against the packages. Totals are set, not added: a record that comes
-- again posts nothing. A session that has ended gives the rest back, once (not one that only fell
-- silent: settle_grants_v1); one that runs is topped up. Returns the number of orders. Customers are locked; one session a customer at a time.
CREATE FUNCTION post_grants_v1(p_now timestamptz, p_customer_id bigint[], p_session_id bigint[])
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    v_reservation_id bigint;
    v_before reservation;
    v_session live_session;
    v_has_ended boolean;
    v_orders int := 0;
BEGIN
    FOR i IN 1..cardinality(p_session_id) LOOP
        v_reservation_id := find_grant_v1(p_now, p_customer_id[i], p_session_id[i]);
        CONTINUE WHEN v_reservation_id IS NULL;
        SELECT * INTO STRICT v_before FROM reservation r
        WHERE r.customer_id = p_customer_id[i] AND r.reservation_id = v_reservation_id;
        SELECT * INTO STRICT v_session FROM live_session v
        WHERE v.customer_id = p_customer_id[i] AND v.session_id = p_session_id[i];
        v_has_ended := v_session.closed_at IS NOT NULL
            AND v_session.terminate_cause IS DISTINCT FROM 'Lost-Stop';
        UPDATE reservation r SET used_seconds = v_session.session_seconds,
            used_input_octets = v_session.input_octets,
            used_output_octets = v_session.output_octets,
            state = CASE WHEN v_has_ended THEN 'posted' ELSE 'held' END,
            ended_at = CASE WHEN v_has_ended THEN p_now END
        WHERE r.customer_id = p_customer_id[i] AND r.reservation_id = v_reservation_id
          AND r.state = 'held';
        IF v_session.closed_at IS NULL THEN
            v_orders := v_orders + top_up_v1(p_now, p_customer_id[i], v_reservation_id,
                v_session.session_seconds - v_before.used_seconds,
                v_session.input_octets + v_session.output_octets
                    - v_before.used_input_octets - v_before.used_output_octets);
        END IF;
    END LOOP;
    RETURN v_orders;
END $$;

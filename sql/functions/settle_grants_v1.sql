-- Ends reservations of these customers that no session holds any more (rule Q4), each exactly once;
-- returns how many. Customers are locked.
--
-- A session that has ended gives back at once what it did not use. One that only fell silent, or
-- never showed, may be running still, with its accounting lost: its NAS ends it when the validity of
-- the grant is over, and not before that is it free. An outage of our own hides what a NAS says.
CREATE FUNCTION settle_grants_v1(p_now timestamptz, p_customer_id bigint[])
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    -- A session begins a little after its login, and so ends later.
    c_begins_within constant interval := interval '60 seconds';
    v_heard_since timestamptz := heard_since_v1(p_now);
    v_settled int;
BEGIN
    UPDATE reservation r SET ended_at = p_now,
        state = CASE WHEN r.session_id IS NULL THEN 'released' ELSE 'posted' END
    FROM (
        SELECT h.customer_id, h.reservation_id,
            h.session_id IS NOT NULL AND v.closed_at IS NULL AND v.session_id IS NOT NULL AS runs,
            h.session_id IS NOT NULL
                AND v.terminate_cause IS DISTINCT FROM 'Lost-Stop' AS has_ended
        FROM reservation h
        LEFT JOIN live_session v
            ON v.customer_id = h.customer_id AND v.session_id = h.session_id
        WHERE h.customer_id = ANY (p_customer_id) AND h.state = 'held'
    ) x
    WHERE r.customer_id = x.customer_id AND r.reservation_id = x.reservation_id
      AND r.state = 'held' AND NOT x.runs
      AND (x.has_ended OR GREATEST(r.valid_until, v_heard_since) + c_begins_within <= p_now);
    GET DIAGNOSTICS v_settled = ROW_COUNT;
    RETURN v_settled;
END $$;

-- The same station has logged in elsewhere: its session at another NAS is ordered off (rule A7), so
-- that one address or one slot never serves two places. At the same NAS nothing is sent: the NAS ends
-- the old session itself, and some find the session to end by what the new one has too (user name,
-- address). Returns the number of orders.
CREATE FUNCTION end_taken_over_v1(
    p_now timestamptz, p_customer_id bigint, p_subscription_id bigint, p_nas_address inet,
    p_station text, p_silence_seconds int
) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    v_heard_since timestamptz := heard_since_v1(p_now);
    v_orders int;
BEGIN
    INSERT INTO coa_intent (customer_id, org_id, subscription_id, session_id, nas_id, goal, reason,
                            state, created_at, next_attempt_at, attempts)
    SELECT v.customer_id, v.org_id, v.subscription_id, v.session_id, v.nas_id, 'disconnect',
        'taken-over', 'pending', p_now, p_now, 0
    FROM (
        -- OFFSET 0: first the subscription's sessions; the index of all open ones is not for this.
        SELECT * FROM live_session
        WHERE customer_id = p_customer_id AND subscription_id = p_subscription_id OFFSET 0
    ) v
    JOIN nas n ON n.address = p_nas_address
    WHERE v.closed_at IS NULL AND v.calling_station = p_station AND v.nas_id <> n.nas_id
      AND (v.last_arrival_at > p_now - make_interval(secs => p_silence_seconds)
           OR v_heard_since > p_now - make_interval(secs => p_silence_seconds))
      AND NOT EXISTS (
        SELECT 1 FROM coa_intent c
        WHERE c.customer_id = v.customer_id AND c.session_id = v.session_id
          AND c.goal = 'disconnect' AND c.state IN ('pending', 'acked'));
    GET DIAGNOSTICS v_orders = ROW_COUNT;
    RETURN v_orders;
END $$;

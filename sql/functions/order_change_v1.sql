-- An order to change or end one running session (rule C1), due at once. It takes the place of one of
-- the same goal that waits: what a session is to have is read when an order is sent.
CREATE FUNCTION order_change_v1(
    p_now timestamptz, p_customer_id bigint, p_session_id bigint, p_goal text, p_reason text
) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    v_orders int;
BEGIN
    UPDATE coa_intent i SET state = 'cancelled', finished_at = p_now
    WHERE i.customer_id = p_customer_id AND i.session_id = p_session_id AND i.goal = p_goal
      AND i.state = 'pending';
    INSERT INTO coa_intent (customer_id, org_id, subscription_id, session_id, nas_id, goal, reason,
                            state, created_at, next_attempt_at, attempts)
    SELECT v.customer_id, v.org_id, v.subscription_id, v.session_id, v.nas_id, p_goal, p_reason,
        'pending', p_now, p_now, 0
    FROM live_session v
    WHERE v.customer_id = p_customer_id AND v.session_id = p_session_id AND v.closed_at IS NULL;
    GET DIAGNOSTICS v_orders = ROW_COUNT;
    RETURN v_orders;
END $$;

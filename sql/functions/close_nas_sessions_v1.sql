-- Accounting-On/Off: the NAS has lost its sessions that began before the event; they ended at
-- their last update (rule U7), and give back what they had reserved (rule Q4).
CREATE FUNCTION close_nas_sessions_v1(p_nas_address inet, p_event_at timestamptz)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    v_closed int;
BEGIN
    UPDATE live_session l SET closed_at = l.last_event_at, terminate_cause = 'NAS-Reboot'
    FROM nas n
    WHERE n.address = p_nas_address AND l.nas_id = n.nas_id AND l.closed_at IS NULL
      AND l.started_at < p_event_at AND l.last_event_at < p_event_at;
    GET DIAGNOSTICS v_closed = ROW_COUNT;
    IF v_closed > 0 THEN
        PERFORM settle_grants_v1(p_event_at, ARRAY(
            SELECT DISTINCT r.customer_id FROM reservation r
            JOIN live_session l ON l.customer_id = r.customer_id AND l.session_id = r.session_id
            JOIN nas n ON n.nas_id = l.nas_id
            WHERE r.state = 'held' AND n.address = p_nas_address AND l.closed_at IS NOT NULL));
    END IF;
    RETURN v_closed;
END $$;

-- Accounting-On/Off: the NAS has lost its sessions that began before the event; they ended at
-- their last update (rule U7).
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
    RETURN v_closed;
END $$;

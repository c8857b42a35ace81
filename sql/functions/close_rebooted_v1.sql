-- A NAS that has rebooted without an Accounting-On is known by its sessions beginning anew (rule U7):
-- five or more of its stations, at least half of those that were online before, have another session
-- beside the old one, and of no session from before anything was heard since. All of those ended at
-- their last update. Returns how many were closed. A later record of one corrects the guess (U5).
CREATE FUNCTION close_rebooted_v1(p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    c_many constant int := 5;
    c_within constant interval := interval '15 minutes';
    v_nas bigint[];
    v_since timestamptz[];
    v_locked bigint[];
    v_closed int;
BEGIN
    SELECT array_agg(r.nas_id), array_agg(r.since) INTO v_nas, v_since
    FROM (
        SELECT n.nas_id, min(n.started_at) AS since, count(DISTINCT o.session_id) AS restarted
        FROM live_session n
        JOIN live_session o ON o.customer_id = n.customer_id
            AND o.subscription_id = n.subscription_id AND o.nas_id = n.nas_id
            AND o.calling_station = n.calling_station
            AND o.session_id < n.session_id AND o.closed_at IS NULL
            AND o.last_arrival_at < n.started_at
        WHERE n.closed_at IS NULL AND n.started_at > p_now - c_within AND n.started_at <= p_now
        GROUP BY n.nas_id
        HAVING count(DISTINCT o.session_id) >= c_many
    ) r
    CROSS JOIN LATERAL (
        SELECT count(*) AS sessions, max(b.last_arrival_at) AS heard_at FROM live_session b
        WHERE b.nas_id = r.nas_id AND b.closed_at IS NULL AND b.started_at < r.since
    ) before
    WHERE before.heard_at < r.since AND 2 * r.restarted >= before.sessions;
    IF v_nas IS NULL THEN
        RETURN 0;
    END IF;

    SELECT array_agg(l.customer_id) INTO v_locked
    FROM (
        SELECT c.customer_id FROM customer c
        WHERE c.customer_id IN (
            SELECT v.customer_id FROM live_session v
            WHERE v.nas_id = ANY (v_nas) AND v.closed_at IS NULL)
        ORDER BY c.customer_id FOR NO KEY UPDATE SKIP LOCKED
    ) l;

    UPDATE live_session v SET closed_at = v.last_event_at, terminate_cause = 'NAS-Reboot'
    FROM unnest(v_nas, v_since) AS r(nas_id, since)
    WHERE v.nas_id = r.nas_id AND v.closed_at IS NULL AND v.started_at < r.since
      AND v.last_arrival_at < r.since AND v.customer_id = ANY (v_locked);
    GET DIAGNOSTICS v_closed = ROW_COUNT;
    RETURN v_closed;
END $$;

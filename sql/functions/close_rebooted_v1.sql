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
    -- After an outage sessions that began meanwhile are heard of before the others.
    IF heard_since_v1(p_now) > p_now - c_within THEN
        RETURN 0;
    END IF;
    -- One pass over what is open, whatever the statistics say.
    WITH online AS MATERIALIZED (
        SELECT v.nas_id, v.started_at, v.last_arrival_at,
            lead(v.started_at) OVER (
                PARTITION BY v.customer_id, v.subscription_id, v.nas_id, v.calling_station
                ORDER BY v.session_id) AS next_started_at,
            v.calling_station IS NOT NULL AS named
        FROM live_session v WHERE v.closed_at IS NULL
    ), restarted AS (
        SELECT o.nas_id, min(o.next_started_at) AS since, count(*) AS sessions
        FROM online o
        WHERE o.named AND o.next_started_at > p_now - c_within AND o.next_started_at <= p_now
          AND o.last_arrival_at < o.next_started_at
        GROUP BY o.nas_id
        HAVING count(*) >= c_many
    )
    SELECT array_agg(x.nas_id), array_agg(x.since) INTO v_nas, v_since
    FROM (
        SELECT r.nas_id, r.since
        FROM restarted r JOIN online b ON b.nas_id = r.nas_id AND b.started_at < r.since
        GROUP BY r.nas_id, r.since, r.sessions
        HAVING max(b.last_arrival_at) < r.since AND 2 * r.sessions >= count(*)
    ) x;
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

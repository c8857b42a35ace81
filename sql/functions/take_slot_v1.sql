-- One more session for a subscription that may have p_limit at once (rule A7): the id of the slot
-- that was taken, NULL when all are in use. The customer's row is locked, so no two logins count
-- the same slots.
--
-- A slot is written for the time until the session shows: it is spent by the first session that the
-- meter makes after it, and lapses where none comes. Sessions count while they are open and not
-- silent for longer than p_silence_seconds (U10). The same station takes over what it holds.
CREATE FUNCTION take_slot_v1(
    p_now timestamptz, p_customer_id bigint, p_subscription_id bigint, p_station text, p_limit int,
    p_silence_seconds int
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    c_start_within constant interval := interval '60 seconds';
    v_heard_since timestamptz := heard_since_v1(p_now);
    v_sessions bigint;
    v_waiting bigint;
    v_slot_id bigint;
BEGIN
    DELETE FROM session_slot k
    WHERE k.customer_id = p_customer_id AND k.subscription_id = p_subscription_id
      AND (k.taken_at <= p_now - c_start_within OR k.calling_station = p_station);

    -- FILTER, not WHERE: the index of all open sessions must not look right for this.
    SELECT count(*) FILTER (WHERE v.closed_at IS NULL
            AND (v.last_arrival_at > p_now - make_interval(secs => p_silence_seconds)
                 OR v_heard_since > p_now - make_interval(secs => p_silence_seconds))
            AND (p_station IS NULL OR v.calling_station IS DISTINCT FROM p_station))
    INTO v_sessions FROM live_session v
    WHERE v.customer_id = p_customer_id AND v.subscription_id = p_subscription_id;

    -- A NAS that names no station in its records spends the slot of whichever station.
    SELECT COALESCE(sum(GREATEST(k.slots - born.sessions, 0)), 0) INTO v_waiting
    FROM (
        SELECT calling_station, count(*) AS slots, min(after_session_id) AS after_session_id
        FROM session_slot
        WHERE customer_id = p_customer_id AND subscription_id = p_subscription_id
        GROUP BY calling_station
    ) k
    CROSS JOIN LATERAL (
        SELECT count(*) AS sessions FROM live_session v
        WHERE v.customer_id = p_customer_id AND v.subscription_id = p_subscription_id
          AND v.session_id > k.after_session_id
          AND (v.calling_station = k.calling_station OR v.calling_station IS NULL)
    ) born;

    IF v_sessions + v_waiting >= p_limit THEN
        RETURN NULL;
    END IF;
    INSERT INTO session_slot (customer_id, org_id, subscription_id, calling_station, taken_at,
                              after_session_id)
    SELECT s.customer_id, s.org_id, s.subscription_id, p_station, p_now,
        COALESCE((SELECT max(v.session_id) FROM live_session v
                  WHERE v.customer_id = p_customer_id), 0)
    FROM subscription s
    WHERE s.customer_id = p_customer_id AND s.subscription_id = p_subscription_id
    RETURNING slot_id INTO v_slot_id;
    RETURN v_slot_id;
END $$;

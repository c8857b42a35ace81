-- Sessions of which nothing was heard for max(3 × interim, 15 min) have ended without a Stop (rule
-- U10): closed at their last update, an estimate that any later record corrects (U5). At most p_limit
-- of them; returns how many. The interim is the longest that the plans of the subscription ask for.
-- What could not be heard in an outage of our own does not count as silence (heard_since_v1).
-- Customers whose row somebody holds are left for the next time: nobody waits for a clean-up.
CREATE FUNCTION reap_silent_v1(p_now timestamptz, p_limit int)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    c_shortest constant interval := interval '15 minutes';
    v_heard_since timestamptz := heard_since_v1(p_now);
    v_customer bigint[];
    v_session bigint[];
    v_arrival timestamptz[];
    v_locked bigint[];
    v_reaped int;
BEGIN
    IF v_heard_since > p_now - c_shortest THEN
        RETURN 0;
    END IF;
    SELECT array_agg(x.customer_id), array_agg(x.session_id), array_agg(x.last_arrival_at)
    INTO v_customer, v_session, v_arrival
    FROM (
        SELECT v.customer_id, v.session_id, v.last_arrival_at
        FROM live_session v
        LEFT JOIN subscription s
            ON s.customer_id = v.customer_id AND s.subscription_id = v.subscription_id
        LEFT JOIN plan_version p ON p.plan_version_id = s.plan_version_id
        LEFT JOIN LATERAL (
            SELECT max(b.interim_seconds) AS interim_seconds
            FROM entitlement e JOIN plan_version b ON b.plan_version_id = e.plan_version_id
            WHERE e.customer_id = v.customer_id AND e.subscription_id = v.subscription_id
              AND (e.ended_at IS NULL OR e.ended_at > v.started_at)
        ) bought ON true
        WHERE v.closed_at IS NULL AND v.last_arrival_at <= p_now - c_shortest
          AND GREATEST(v.last_arrival_at, v_heard_since) <= p_now - make_interval(
                secs => 3 * COALESCE(GREATEST(p.interim_seconds, bought.interim_seconds), 0))
        LIMIT p_limit
    ) x;

    SELECT array_agg(l.customer_id) INTO v_locked
    FROM (
        SELECT c.customer_id FROM customer c WHERE c.customer_id = ANY (v_customer)
        ORDER BY c.customer_id FOR NO KEY UPDATE SKIP LOCKED
    ) l;

    UPDATE live_session v SET closed_at = v.last_event_at, terminate_cause = 'Lost-Stop'
    FROM unnest(v_customer, v_session, v_arrival) AS x(customer_id, session_id, last_arrival_at)
    WHERE v.customer_id = x.customer_id AND v.session_id = x.session_id
      AND v.customer_id = ANY (v_locked)
      AND v.closed_at IS NULL AND v.last_arrival_at = x.last_arrival_at;
    GET DIAGNOSTICS v_reaped = ROW_COUNT;
    RETURN v_reaped;
END $$;

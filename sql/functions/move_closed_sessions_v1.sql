-- Moves closed sessions that no late record can reach any more into the month-partitioned history
-- (rule U11): of the p_limit next ones after the given place, in the order of their ends. Returns how
-- many were looked at and moved, and the place to go on from. A session is deleted here and inserted
-- there by one statement, so it is in one of both at any instant, whatever is killed when.
--
-- `month_wanted`: the partition of this month must be made first; nothing was moved, ask again.
-- Customers whose row somebody holds are left for the next walk: nobody waits for a clean-up. While
-- accounting that was heard is not charged yet (heard_since_v1), nothing is moved: it is of earlier.
CREATE FUNCTION move_closed_sessions_v1(
    p_now timestamptz, p_closed_at timestamptz, p_customer_id bigint, p_session_id bigint, p_limit int,
    OUT looked int, OUT moved int, OUT month_wanted timestamptz,
    OUT closed_at timestamptz, OUT customer_id bigint, OUT session_id bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    -- No session is due sooner after its end (late_until_v1).
    c_soonest constant interval := interval '24 hours';
    -- What is said to have begun before that gets no month of its own (the default partition).
    c_credible constant interval := interval '3 years';
    v_customer bigint[];
    v_session bigint[];
    v_locked bigint[];
BEGIN
    looked := 0;
    moved := 0;
    IF heard_since_v1(p_now) >= p_now THEN
        RETURN;
    END IF;
    WITH next AS MATERIALIZED (
        SELECT v.customer_id, v.session_id, v.closed_at, v.started_at,
            late_until_v1(v.last_event_at, v.last_arrival_at, v.session_seconds,
                          v.terminate_cause) < p_now AS is_due
        FROM live_session v
        WHERE v.closed_at < p_now - c_soonest AND v.closed_at >= p_closed_at
          AND (v.closed_at, v.customer_id, v.session_id) > (p_closed_at, p_customer_id, p_session_id)
        ORDER BY v.closed_at, v.customer_id, v.session_id
        LIMIT p_limit
    )
    SELECT count(*), array_agg(n.customer_id) FILTER (WHERE n.is_due),
        array_agg(n.session_id) FILTER (WHERE n.is_due),
        min(n.started_at) FILTER (WHERE n.is_due AND n.started_at > p_now - c_credible AND to_regclass(
            'session_history_p' || to_char(n.started_at AT TIME ZONE 'UTC', 'YYYYMM')) IS NULL),
        (array_agg(n.closed_at ORDER BY n.closed_at DESC, n.customer_id DESC, n.session_id DESC))[1],
        (array_agg(n.customer_id ORDER BY n.closed_at DESC, n.customer_id DESC, n.session_id DESC))[1],
        (array_agg(n.session_id ORDER BY n.closed_at DESC, n.customer_id DESC, n.session_id DESC))[1]
    INTO looked, v_customer, v_session, month_wanted, closed_at, customer_id, session_id
    FROM next n;
    IF v_customer IS NULL OR month_wanted IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT array_agg(l.customer_id) INTO v_locked
    FROM (
        SELECT c.customer_id FROM customer c WHERE c.customer_id = ANY (v_customer)
        ORDER BY c.customer_id FOR NO KEY UPDATE SKIP LOCKED
    ) l;

    -- Looked at again, now that the meter cannot change it.
    WITH gone AS (
        DELETE FROM live_session v
        USING unnest(v_customer, v_session) AS x(customer_id, session_id)
        WHERE v.customer_id = x.customer_id AND v.session_id = x.session_id
          AND v.customer_id = ANY (v_locked) AND v.closed_at IS NOT NULL
          AND late_until_v1(v.last_event_at, v.last_arrival_at, v.session_seconds,
                            v.terminate_cause) < p_now
        RETURNING v.*
    )
    INSERT INTO session_history (customer_id, session_id, started_at, org_id, subscription_id, nas_id,
        acct_session_id, epoch, username, last_event_at, last_arrival_at, closed_at, terminate_cause,
        session_seconds, input_octets, output_octets, input_wraps, output_wraps, input_at_seconds,
        output_at_seconds, has_gigawords, charged_micros, payg_version_id, payg_seconds, payg_octets,
        payg_micros, framed_ip, framed_ipv6_prefix, framed_ipv6_address, delegated_ipv6_prefix,
        framed_interface_id, calling_station, called_station, nas_port_id, session_class,
        cut_requested_at)
    SELECT g.customer_id, g.session_id, g.started_at, g.org_id, g.subscription_id, g.nas_id,
        g.acct_session_id, g.epoch, g.username, g.last_event_at, g.last_arrival_at, g.closed_at,
        g.terminate_cause, g.session_seconds, g.input_octets, g.output_octets, g.input_wraps,
        g.output_wraps, g.input_at_seconds, g.output_at_seconds, g.has_gigawords, g.charged_micros,
        g.payg_version_id, g.payg_seconds, g.payg_octets, g.payg_micros, g.framed_ip,
        g.framed_ipv6_prefix, g.framed_ipv6_address, g.delegated_ipv6_prefix, g.framed_interface_id,
        g.calling_station, g.called_station, g.nas_port_id, g.session_class, g.cut_requested_at
    FROM gone g;
    GET DIAGNOSTICS moved = ROW_COUNT;
END $$;

-- The meter: one call charges a batch of accounting records, exactly once (rules U1-U6, U9, Q1, Q3,
-- Q4).
--
-- The arrays have one element a record. Records of one customer are taken one after the other
-- (rounds), those of different customers together. First the customers are locked by id, then
-- each round reads, computes and writes in one statement, which sees all earlier commits
-- (radius.md F15). Returns the number of orders to end or move sessions that were written; they
-- are announced by one empty NOTIFY.
--
-- Units: seconds, octets, micros. Counters are cumulative; NULL means absent or unusable (U4).
-- p_status: 1 Start, 2 Stop, 3 Interim, 7 On, 8 Off. p_slack_seconds: how uncertain the event time
-- is, 2 for a NAS that sends Event-Timestamp or Acct-Delay-Time, else 60.
CREATE FUNCTION charge_usage_v1(
    p_now timestamptz, p_status int[], p_username text[], p_sent_username text[],
    p_nas_address inet[], p_acct_session_id text[], p_arrived_at timestamptz[], p_event_at timestamptz[],
    p_slack_seconds int[], p_session_seconds bigint[], p_input_octets bigint[],
    p_output_octets bigint[], p_has_gigawords boolean[], p_framed_ip inet[],
    p_framed_ipv6_prefix text[], p_framed_ipv6_address text[], p_delegated_ipv6_prefix text[],
    p_framed_interface_id text[], p_calling_station text[],
    p_called_station text[], p_nas_port_id text[], p_session_class text[],
    p_terminate_cause text[], p_anomalies text[], p_raw text[]
) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    c_wrap constant bigint := 4294967296;
    c_endless constant numeric := 4611686018427387904;
    -- Above this rate a fallen 32-bit counter is an error of the NAS, not a wrap: 1 Gbit/s (U4).
    c_plausible_octets_per_second constant bigint := 125000000;
    c_start_only_slack constant interval := interval '60 seconds';
    -- How far the clock of a NAS is believed (CLOCK_TOLERANCE of billing.rules.usage, U6).
    c_clock_tolerance constant interval := interval '5 minutes';
    -- A session's records arrived between its start and now, give or take the clocks.
    c_journal_margin constant interval := interval '1 hour';
    v_zone text;
    v_customer bigint[];
    v_subscription bigint[];
    v_org bigint[];
    v_nas bigint[];
    v_round int[];
    v_last_round int;
    v_closer_customer bigint[];
    v_closer_subscription bigint[];
    v_closer_session bigint[];
    v_closer_at timestamptz[];
    v_closer_seconds bigint[];
    v_closer_octets bigint[];
    v_is_suspect boolean[];
    v_reserves boolean[];
    v_is_limited boolean[];
    v_has_ended boolean[];
    v_over_seconds bigint[];
    v_over_octets bigint[];
    v_is_low boolean[];
    v_paid_micros bigint[];
    v_orders int := 0;
BEGIN
    SELECT time_zone INTO STRICT v_zone FROM operator;

    IF 7 = ANY (p_status) OR 8 = ANY (p_status) THEN
        PERFORM 1 FROM customer WHERE customer_id IN (
            SELECT v.customer_id FROM unnest(p_status, p_nas_address) AS r(status, address)
            JOIN nas n ON n.address = r.address JOIN live_session v ON v.nas_id = n.nas_id
            WHERE r.status IN (7, 8) AND v.closed_at IS NULL
            UNION SELECT l.customer_id FROM unnest(p_username) AS r(username)
            JOIN login l ON l.username = r.username)
        ORDER BY customer_id FOR NO KEY UPDATE;
        INSERT INTO acct_journal (arrived_at, customer_id, session_id, org_id, subscription_id,
            nas_id, acct_session_id, status, event_at, added_seconds, added_input_octets,
            added_output_octets, charged_micros, outcome, anomalies, raw)
        SELECT r.arrived_at, 0, 0, n.org_id, 0, n.nas_id, r.acct_session_id, r.status, r.event_at,
            0, 0, 0, 0, 'counted', r.anomalies, r.raw
        FROM unnest(p_status, p_nas_address, p_acct_session_id, p_arrived_at, p_event_at,
                p_anomalies, p_raw)
            AS r(status, address, acct_session_id, arrived_at, event_at, anomalies, raw)
        JOIN nas n ON n.address = r.address
        WHERE r.status IN (7, 8);
        PERFORM close_nas_sessions_v1(r.address, r.event_at)
        FROM unnest(p_status, p_nas_address, p_event_at) AS r(status, address, event_at)
        WHERE r.status IN (7, 8);
    END IF;

    SELECT array_agg(x.customer_id ORDER BY x.ord), array_agg(x.subscription_id ORDER BY x.ord),
        array_agg(x.org_id ORDER BY x.ord), array_agg(x.nas_id ORDER BY x.ord),
        array_agg(x.round ORDER BY x.ord), max(x.round)
    INTO v_customer, v_subscription, v_org, v_nas, v_round, v_last_round
    FROM (
        SELECT r.ord, l.customer_id, l.subscription_id, l.org_id, n.nas_id,
            CASE WHEN l.customer_id IS NULL OR n.nas_id IS NULL OR r.status IN (7, 8) THEN 0
            ELSE row_number() OVER (PARTITION BY l.customer_id, r.status IN (7, 8) ORDER BY r.ord)
            END::int AS round
        FROM unnest(p_username, p_nas_address, p_status)
            WITH ORDINALITY AS r(username, nas_address, status, ord)
        LEFT JOIN login l ON l.username = r.username
        LEFT JOIN nas n ON n.address = r.nas_address
    ) x;

    PERFORM 1 FROM customer WHERE customer_id = ANY (v_customer)
    ORDER BY customer_id FOR NO KEY UPDATE;

    -- Records that belong to nobody are kept, not dropped, and are answered (radius.md F5).
    IF 0 = ANY (v_round) THEN
        INSERT INTO acct_dead_letter (arrived_at, nas_address, reason, raw)
        SELECT r.arrived_at, r.nas_address,
            CASE WHEN n.nas_id IS NULL THEN 'unknown-nas' ELSE 'unknown-user' END,
            concat_ws(' ', 'status', r.status, 'user', r.username, 'session', r.acct_session_id,
                'event', r.event_at, 'seconds', r.seconds, 'input', r.input, 'output', r.output,
                r.raw)
        FROM unnest(p_arrived_at, p_nas_address, v_nas, v_round, p_status, p_username,
                p_acct_session_id, p_event_at, p_session_seconds, p_input_octets,
                p_output_octets, p_raw)
            AS r(arrived_at, nas_address, nas_id, round, status, username, acct_session_id,
                event_at, seconds, input, output, raw)
        LEFT JOIN nas n ON n.nas_id = r.nas_id
        WHERE r.round = 0 AND (r.status NOT IN (7, 8) OR r.nas_id IS NULL);
    END IF;

    FOR v_this_round IN 1..COALESCE(v_last_round, 0) LOOP
        WITH rec AS MATERIALIZED (
            SELECT r.*, make_interval(secs => r.slack_seconds) AS slack,
                r.event_at - make_interval(secs =>
                    COALESCE(r.seconds, CASE WHEN r.status = 1 THEN 0 END)) AS start_at
            FROM unnest(v_round, v_customer, v_subscription, v_org, v_nas, p_status, p_sent_username,
                    p_acct_session_id, p_arrived_at, p_event_at, p_slack_seconds,
                    p_session_seconds, p_input_octets, p_output_octets, p_has_gigawords,
                    p_framed_ip, p_framed_ipv6_prefix, p_framed_ipv6_address,
                    p_delegated_ipv6_prefix, p_framed_interface_id,
                    p_calling_station, p_called_station, p_nas_port_id, p_session_class,
                    p_terminate_cause, p_anomalies, p_raw)
                AS r(round, customer_id, subscription_id, org_id, nas_id, status, username,
                    acct_session_id, arrived_at, event_at, slack_seconds,
                    seconds, input, output, has_gigawords,
                    framed_ip, framed_ipv6_prefix, framed_ipv6_address, delegated_ipv6_prefix,
                    framed_interface_id, calling_station, called_station, nas_port_id, session_class,
                    terminate_cause, anomalies, raw)
            WHERE r.round = v_this_round
        ),
        -- The epoch a record belongs to: the last one that began before it, else the first (U3).
        -- Some NAS begin to count a little after their Start: where only that is known, a start
        -- computed a little later is not another session's.
        found AS (
            SELECT rec.*, v.session_id AS old_id,
                v.started_at AS old_started_at, v.last_event_at AS old_last_event_at,
                v.closed_at AS old_closed_at,
                COALESCE(v.terminate_cause NOT IN ('NAS-Reboot', 'Lost-Stop'), true) AS old_stopped,
                v.session_seconds AS old_seconds,
                v.input_octets AS old_input, v.output_octets AS old_output,
                v.input_wraps AS old_input_wraps, v.output_wraps AS old_output_wraps,
                v.input_at_seconds AS old_input_at, v.output_at_seconds AS old_output_at,
                v.has_gigawords AS old_has_gigawords, v.payg_version_id AS old_payg_version_id,
                v.payg_seconds AS old_payg_seconds, v.payg_octets AS old_payg_octets,
                v.payg_micros AS old_payg_micros,
                -- Where a record stands among the others (U4): without session time by its event, and
                -- nowhere when that may be its arrival only, since each resend tells another.
                COALESCE(rec.seconds, CASE WHEN rec.slack_seconds < 60 THEN GREATEST(floor(extract(
                    epoch FROM rec.event_at - v.started_at))::bigint, 0) END) AS at_seconds,
                v.session_id IS NULL
                    OR rec.event_at + rec.slack < v.started_at
                    OR COALESCE(rec.start_at > v.last_event_at + CASE
                            WHEN rec.status <> 1 AND v.session_seconds = 0 AND v.input_octets = 0
                                AND v.output_octets = 0 THEN c_start_only_slack
                            ELSE rec.slack END, false)
                        AND (rec.status <> 1 OR v.closed_at IS NOT NULL OR rec.slack_seconds < 60)
                    AS is_new
            FROM rec
            LEFT JOIN LATERAL (
                SELECT s.* FROM live_session s
                CROSS JOIN LATERAL (SELECT
                    s.started_at <= COALESCE(rec.start_at, rec.event_at) + rec.slack) b(began)
                WHERE s.customer_id = rec.customer_id AND s.subscription_id = rec.subscription_id
                  AND s.nas_id = rec.nas_id AND s.acct_session_id = rec.acct_session_id
                ORDER BY b.began DESC, CASE WHEN b.began THEN s.started_at END DESC, s.started_at
                LIMIT 1
            ) v ON true
        ),
        -- OFFSET 0 in this and the next steps keeps each value computed once; the planner would write
        -- its expression out at every use (that cost 40 % of a batch of 16).
        -- Old totals: zero for a new session. `input_newer`: this counter was read after the stored
        -- one; records may carry one counter without the other.
        known AS (
            SELECT f.*,
                CASE WHEN is_new THEN 0 ELSE old_seconds END AS base_seconds,
                CASE WHEN is_new THEN 0 ELSE old_input END AS base_input,
                CASE WHEN is_new THEN 0 ELSE old_output END AS base_output,
                CASE WHEN is_new THEN 0 WHEN old_input_wraps >= 0 THEN old_input_wraps
                     ELSE old_input / c_wrap END AS input_wraps,
                CASE WHEN is_new THEN 0 WHEN old_output_wraps >= 0 THEN old_output_wraps
                     ELSE old_output / c_wrap END AS output_wraps,
                NOT is_new AND NOT (old_has_gigawords OR f.has_gigawords) AS can_wrap,
                CASE WHEN at_seconds IS NULL THEN event_at >= old_last_event_at
                     ELSE at_seconds >= old_input_at END AS input_newer,
                CASE WHEN at_seconds IS NULL THEN event_at >= old_last_event_at
                     ELSE at_seconds >= old_output_at END AS output_newer,
                GREATEST(abs(COALESCE(at_seconds, old_input_at) - old_input_at), 1)
                    * c_plausible_octets_per_second AS input_plausible,
                GREATEST(abs(COALESCE(at_seconds, old_output_at) - old_output_at), 1)
                    * c_plausible_octets_per_second AS output_plausible
            FROM found f OFFSET 0
        ),
        -- A counter that fell on a 32-bit NAS has wrapped when the rate allows it: `input_rose` is 1
        -- when this record follows the wrap. Whether a late reading, or another one of the same
        -- second, tells of a wrap depends on those around it: `input_derived` is the counter as all
        -- readings together tell it. NULL means that this record is the newest, or that the journal
        -- lacks the session's first days; then a late record is taken for one from before a wrap
        -- when no wrap is known so far.
        wrapped AS (
            SELECT k.*,
                CASE WHEN can_wrap AND input IS NOT NULL AND at_seconds IS NOT NULL
                        AND (old_input_wraps < 0 OR NOT input_newer OR at_seconds = old_input_at
                             AND input + input_wraps * c_wrap <> base_input)
                    THEN unwrapped_v1(customer_id, old_id, old_started_at - c_journal_margin,
                        p_now + c_journal_margin, old_started_at, true, base_input, at_seconds, input,
                        c_plausible_octets_per_second) END AS input_derived,
                CASE WHEN can_wrap AND output IS NOT NULL AND at_seconds IS NOT NULL
                        AND (old_output_wraps < 0 OR NOT output_newer OR at_seconds = old_output_at
                             AND output + output_wraps * c_wrap <> base_output)
                    THEN unwrapped_v1(customer_id, old_id, old_started_at - c_journal_margin,
                        p_now + c_journal_margin, old_started_at, false, base_output, at_seconds,
                        output, c_plausible_octets_per_second) END AS output_derived,
                CASE WHEN NOT can_wrap OR input IS NULL THEN 0
                     WHEN input_newer AND input + input_wraps * c_wrap < base_input
                        AND input + (input_wraps + 1) * c_wrap - base_input <= input_plausible THEN 1
                     WHEN NOT input_newer AND input_wraps = 0 AND input > base_input
                        AND base_input + c_wrap - input <= input_plausible THEN 1
                     ELSE 0 END AS input_rose,
                CASE WHEN NOT can_wrap OR output IS NULL THEN 0
                     WHEN output_newer AND output + output_wraps * c_wrap < base_output
                        AND output + (output_wraps + 1) * c_wrap - base_output <= output_plausible THEN 1
                     WHEN NOT output_newer AND output_wraps = 0 AND output > base_output
                        AND base_output + c_wrap - output <= output_plausible THEN 1
                     ELSE 0 END AS output_rose
            FROM known k OFFSET 0
        ),
        -- New totals; they only rise (U4).
        totals AS (
            SELECT w.*,
                -- The stretch of time that the usage belongs to (U9).
                CASE WHEN is_new THEN COALESCE(start_at, event_at)
                     ELSE LEAST(old_last_event_at, event_at) END AS from_at,
                GREATEST(COALESCE(seconds, 0), base_seconds) AS new_seconds,
                GREATEST(base_input, CASE
                    WHEN input IS NULL THEN 0
                    WHEN input_derived IS NOT NULL THEN input_derived[1]
                    WHEN NOT input_newer AND input_rose = 1 THEN base_input + c_wrap
                    WHEN NOT input_newer AND can_wrap AND input_wraps > 0 THEN 0
                    WHEN can_wrap THEN input + (input_wraps + input_rose) * c_wrap
                    ELSE input END) AS new_input,
                GREATEST(base_output, CASE
                    WHEN output IS NULL THEN 0
                    WHEN output_derived IS NOT NULL THEN output_derived[1]
                    WHEN NOT output_newer AND output_rose = 1 THEN base_output + c_wrap
                    WHEN NOT output_newer AND can_wrap AND output_wraps > 0 THEN 0
                    WHEN can_wrap THEN output + (output_wraps + output_rose) * c_wrap
                    ELSE output END) AS new_output,
                -- -1: the readings tell less than an error of the NAS once made believe, and what was
                -- charged stays (U4). Then there is no place to go on from: every later record
                -- derives the counter anew.
                CASE WHEN input_derived IS NULL THEN input_wraps + input_rose
                     WHEN input_derived[1] < base_input THEN -1
                     ELSE input_derived[2] END AS new_input_wraps,
                CASE WHEN output_derived IS NULL THEN output_wraps + output_rose
                     WHEN output_derived[1] < base_output THEN -1
                     ELSE output_derived[2] END AS new_output_wraps,
                NOT is_new AND COALESCE(
                    input_newer AND CASE WHEN NOT can_wrap THEN input < base_input
                        ELSE input_rose = 0 AND input + input_wraps * c_wrap < base_input END
                    OR output_newer AND CASE WHEN NOT can_wrap THEN output < base_output
                        ELSE output_rose = 0 AND output + output_wraps * c_wrap < base_output END,
                    false) AS counter_fell,
                -- A later record of a younger session: one id for two sessions, or a wrong clock (U3).
                NOT is_new AND (COALESCE(start_at > old_last_event_at + slack, false)
                    OR COALESCE(seconds < base_seconds AND event_at > old_last_event_at + slack, false))
                    AS undecided
            FROM wrapped w OFFSET 0
        ),
        usage AS MATERIALIZED (
            SELECT t.*,
                new_seconds - base_seconds AS d_seconds,
                new_input - base_input AS d_input,
                new_output - base_output AS d_output,
                new_input - base_input + new_output - base_output AS d_octets,
                CASE WHEN is_new THEN nextval('live_session_session_id_seq') ELSE old_id END
                    AS session_id,
                s.requires_entitlement, s.reserves, s.wallet_id, s.plan_version_id,
                p.payg_octet_step, p.payg_octet_step_micros,
                p.payg_second_step, p.payg_second_step_micros,
                p.payg_octet_step IS NOT NULL OR p.payg_second_step IS NOT NULL AS is_payg,
                NOT is_new AND COALESCE(old_payg_version_id = s.plan_version_id, false)
                    AS same_price,
                -- Open, or closed by a guess that this record proves wrong (U5, U7): the event time
                -- of a late one may be its arrival, but its session time tells that it is old.
                old_closed_at IS NULL OR NOT old_stopped AND event_at > old_closed_at
                    AND COALESCE(t.seconds > base_seconds, t.status <> 1) AS reopens,
                -- What was bought by then can pay: the clock of the NAS has whole seconds and may be
                -- behind ours (U6), but nothing pays that begins after now.
                GREATEST(t.event_at, LEAST(t.event_at + c_clock_tolerance, p_now)) AS bought_by,
                (t.from_at AT TIME ZONE v_zone)::date AS from_day,
                (t.event_at AT TIME ZONE v_zone)::date AS event_day,
                concat_ws(',', t.anomalies,
                    CASE WHEN t.new_input_wraps > t.input_wraps
                        OR t.new_output_wraps > t.output_wraps THEN 'counter-wrapped' END,
                    CASE WHEN t.counter_fell THEN 'counter-fell' END,
                    CASE WHEN t.undecided THEN 'undecided-epoch' END) AS all_anomalies,
                -- Whoever has tariff windows pays for a part of the usage only (Q3).
                CASE WHEN s.has_tariff_windows THEN windowed_usage_v1(t.customer_id,
                    t.subscription_id, s.plan_version_id, t.from_at, t.event_at, p_now,
                    c_clock_tolerance, v_zone, new_seconds - base_seconds,
                    new_input - base_input + new_output - base_output) END AS windowed
            FROM totals t
            LEFT JOIN subscription s
                ON s.customer_id = t.customer_id AND s.subscription_id = t.subscription_id
            LEFT JOIN plan_version p ON p.plan_version_id = s.plan_version_id
        ),
        -- What pays, in the order of use, as consecutive stretches of the usage axis; the endless
        -- last one (entitlement 0) is what no package covers (Q1). One that has begun by now keeps
        -- its window; a waiting one begins with the usage, not before it was bought (B4). What is free
        -- by a tariff window is not on this axis (Q3).
        cover AS MATERIALIZED (
            SELECT u.customer_id, u.session_id, u.subscription_id, u.org_id, u.event_at, u.from_at,
                u.from_day, u.event_day, u.d_seconds, u.d_octets, u.d_input, u.is_payg,
                u.requires_entitlement,
                e.entitlement_id, e.plan_version_id, e.waiting,
                e.s_from, e.s_until, e.o_from, e.o_until, u.windowed,
                CASE WHEN u.windowed IS NOT NULL AND u.is_payg AND e.entitlement_id = 0
                    THEN window_charges_v1(u.customer_id, u.session_id, u.plan_version_id, u.windowed,
                        e.s_from, e.s_until, e.o_from, e.o_until) END AS charges,
                e.s_until > e.s_from OR e.o_until > e.o_from AS used,
                e.usable AND COALESCE(e.seconds_left > e.s_until - e.s_from, true)
                    AND COALESCE(e.octets_left > e.o_until - e.o_from, true) AS lasts,
                u.reserves, e.seconds_left, e.octets_left,
                e.seconds_left - (e.s_until - e.s_from) <= e.alert_seconds_left
                    OR e.octets_left - (e.o_until - e.o_from) <= e.alert_octets_left AS is_low
            FROM usage u
            CROSS JOIN LATERAL (
                SELECT c.entitlement_id, c.plan_version_id, c.seconds_left, c.octets_left,
                    c.waiting, c.usable, c.alert_seconds_left, c.alert_octets_left,
                    LEAST(COALESCE(sum(c.seconds_room) OVER w, 0),
                        COALESCE((u.windowed).seconds, u.d_seconds))::bigint AS s_from,
                    LEAST(COALESCE(sum(c.seconds_room) OVER w, 0) + c.seconds_room,
                        COALESCE((u.windowed).seconds, u.d_seconds))::bigint AS s_until,
                    LEAST(COALESCE(sum(c.octets_room) OVER w, 0),
                        COALESCE((u.windowed).octets, u.d_octets))::bigint AS o_from,
                    LEAST(COALESCE(sum(c.octets_room) OVER w, 0) + c.octets_room,
                        COALESCE((u.windowed).octets, u.d_octets))::bigint AS o_until
                FROM (
                    SELECT e.entitlement_id, e.plan_version_id, e.seconds_left, e.octets_left,
                        COALESCE(e.seconds_left, c_endless) AS seconds_room,
                        COALESCE(e.octets_left, c_endless) AS octets_room,
                        e.valid_from IS NULL OR e.valid_from > GREATEST(u.event_at, p_now)
                            AS waiting,
                        e.valid_from <= u.bought_by
                            AND (e.valid_until IS NULL OR e.valid_until > u.event_at) AS usable,
                        e.use_order, e.valid_until, e.alert_seconds_left, e.alert_octets_left
                    FROM entitlement e
                    WHERE e.customer_id = u.customer_id
                      AND e.subscription_id = u.subscription_id AND e.ended_at IS NULL
                      AND (e.valid_from <= u.bought_by
                           OR (e.follows OR e.valid_from IS NULL) AND e.purchased_at <= u.bought_by)
                      AND (e.valid_until IS NULL OR e.valid_until > u.from_at)
                    UNION ALL
                    SELECT 0, u.plan_version_id, NULL, NULL, c_endless, c_endless, NULL, false,
                        NULL, NULL, NULL, NULL
                ) c
                WINDOW w AS (ORDER BY c.entitlement_id = 0, c.waiting, c.use_order,
                             c.valid_until, c.entitlement_id
                             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            ) e
        ),
        -- Local days are stretches of the same axis, pro rata to time (U9, M3); where there are tariff
        -- windows it is cut at these, too, and what is free is told with what no package covers (Q3).
        slice AS (
            SELECT c.customer_id, c.session_id, c.subscription_id, c.org_id, x.local_day,
                x.tariff_window, CASE WHEN x.is_free THEN 0 ELSE c.entitlement_id END AS entitlement_id,
                COALESCE(CASE WHEN x.is_free THEN (c.windowed).tariff_version_id
                              ELSE c.plan_version_id END, 0) AS plan_version_id,
                CASE WHEN x.is_free THEN 'free'
                     WHEN c.entitlement_id > 0 THEN 'entitlement'
                     WHEN c.is_payg THEN 'payg'
                     WHEN c.requires_entitlement THEN 'overspend' ELSE 'flat' END AS kind,
                x.seconds, x.o_until - x.o_from AS octets,
                CASE WHEN x.input IS NOT NULL THEN x.input WHEN c.d_octets = 0 THEN 0 ELSE
                    div(c.d_input::numeric * x.o_until, c.d_octets)
                    - div(c.d_input::numeric * x.o_from, c.d_octets) END::bigint AS input
            FROM cover c
            CROSS JOIN LATERAL (
                SELECT c.event_day AS local_day, '' AS tariff_window, false AS is_free,
                    c.s_until - c.s_from AS seconds, c.o_from, c.o_until, NULL::bigint AS input
                WHERE c.from_day = c.event_day AND c.windowed IS NULL
                UNION ALL
                SELECT d.local_day, '', false,
                    GREATEST(LEAST(c.s_until, d.s_until) - GREATEST(c.s_from, d.s_from), 0),
                    GREATEST(c.o_from, d.o_from),
                    GREATEST(LEAST(c.o_until, d.o_until), GREATEST(c.o_from, d.o_from)), NULL
                FROM (
                    SELECT g.local_day, COALESCE(lag(g.s_until) OVER w, 0) AS s_from, g.s_until,
                        COALESCE(lag(g.o_until) OVER w, 0) AS o_from, g.o_until
                    FROM day_shares_v1(c.from_at, c.event_at, c.from_day, c.event_day, v_zone,
                                       c.d_seconds, c.d_octets) AS g
                    WINDOW w AS (ORDER BY g.local_day)
                ) d
                WHERE c.from_day < c.event_day AND c.windowed IS NULL
                UNION ALL
                SELECT g.local_day, g.tariff_window, g.is_free, g.seconds, 0, g.octets, g.input
                FROM window_slices_v1((c.windowed).pieces, c.entitlement_id = 0,
                    c.entitlement_id = 0 AND c.is_payg, c.s_from, c.s_until, c.o_from, c.o_until,
                    c.d_input, c.d_octets) g
                WHERE c.windowed IS NOT NULL
            ) x
            WHERE x.seconds > 0 OR x.o_until > x.o_from
        ),
        -- Pay-as-you-go is priced on the cumulative usage of session and price (P3); windows with
        -- prices of their own apart: charges[1] has their sums (Q3).
        priced AS MATERIALIZED (
            SELECT u.customer_id, u.session_id, u.wallet_id, n.payg_seconds, n.payg_octets,
                n.payg_micros, c.charges,
                n.payg_micros - CASE WHEN u.same_price THEN u.old_payg_micros ELSE 0 END
                    + COALESCE(c.charges[1].micros, 0) AS d_micros
            FROM cover c
            JOIN usage u ON u.customer_id = c.customer_id
            CROSS JOIN LATERAL (
                SELECT CASE WHEN u.same_price THEN u.old_payg_seconds ELSE 0 END
                        + c.s_until - c.s_from - COALESCE(c.charges[1].seconds, 0) AS payg_seconds,
                    CASE WHEN u.same_price THEN u.old_payg_octets ELSE 0 END
                        + c.o_until - c.o_from - COALESCE(c.charges[1].octets, 0) AS payg_octets
            ) q
            CROSS JOIN LATERAL (
                SELECT q.payg_seconds, q.payg_octets,
                    (COALESCE(ceil(q.payg_seconds::numeric / u.payg_second_step)
                              * u.payg_second_step_micros, 0)
                     + COALESCE(ceil(q.payg_octets::numeric / u.payg_octet_step)
                              * u.payg_octet_step_micros, 0))::bigint AS payg_micros
            ) n
            WHERE c.is_payg AND c.entitlement_id = 0 AND c.used
        ),
        started AS (
            INSERT INTO live_session (customer_id, session_id, org_id, subscription_id, nas_id,
                acct_session_id, epoch, username, started_at, last_event_at, last_arrival_at,
                closed_at, terminate_cause, session_seconds, input_octets, output_octets,
                input_wraps, output_wraps, input_at_seconds, output_at_seconds, has_gigawords,
                charged_micros, payg_version_id, payg_seconds, payg_octets, payg_micros, framed_ip,
                framed_ipv6_prefix, framed_ipv6_address, delegated_ipv6_prefix,
                framed_interface_id, calling_station, called_station, nas_port_id, session_class)
            SELECT u.customer_id, u.session_id, u.org_id, u.subscription_id, u.nas_id,
                u.acct_session_id, 1 + COALESCE((
                    SELECT max(s.epoch) FROM live_session s
                    WHERE s.customer_id = u.customer_id AND s.subscription_id = u.subscription_id
                      AND s.nas_id = u.nas_id AND s.acct_session_id = u.acct_session_id), 0),
                u.username,
                COALESCE(u.start_at, u.event_at), u.event_at, u.arrived_at,
                CASE WHEN u.status = 2 THEN u.event_at END, u.terminate_cause,
                u.new_seconds, u.new_input, u.new_output, 0, 0,
                CASE WHEN u.input IS NULL THEN 0 ELSE u.new_seconds END,
                CASE WHEN u.output IS NULL THEN 0 ELSE u.new_seconds END,
                u.has_gigawords,
                COALESCE(m.d_micros, 0), CASE WHEN m.session_id IS NOT NULL THEN u.plan_version_id END,
                COALESCE(m.payg_seconds, 0), COALESCE(m.payg_octets, 0), COALESCE(m.payg_micros, 0),
                u.framed_ip, u.framed_ipv6_prefix, u.framed_ipv6_address, u.delegated_ipv6_prefix,
                u.framed_interface_id, u.calling_station, u.called_station, u.nas_port_id,
                u.session_class
            FROM usage u
            LEFT JOIN priced m ON m.customer_id = u.customer_id
            WHERE u.is_new
        ),
        advanced AS (
            UPDATE live_session v SET
                started_at = LEAST(v.started_at, u.start_at),
                last_event_at = GREATEST(v.last_event_at, u.event_at),
                last_arrival_at = GREATEST(v.last_arrival_at, u.arrived_at),
                closed_at = CASE WHEN u.reopens THEN CASE WHEN u.status = 2 THEN u.event_at END
                    ELSE v.closed_at END,
                terminate_cause = CASE WHEN u.reopens THEN u.terminate_cause
                    ELSE v.terminate_cause END,
                session_seconds = u.new_seconds,
                input_octets = u.new_input, output_octets = u.new_output,
                input_wraps = u.new_input_wraps,
                output_wraps = u.new_output_wraps,
                input_at_seconds = CASE WHEN u.input IS NULL THEN v.input_at_seconds
                    ELSE GREATEST(v.input_at_seconds, u.at_seconds) END,
                output_at_seconds = CASE WHEN u.output IS NULL THEN v.output_at_seconds
                    ELSE GREATEST(v.output_at_seconds, u.at_seconds) END,
                has_gigawords = v.has_gigawords OR u.has_gigawords,
                charged_micros = v.charged_micros + COALESCE(m.d_micros, 0),
                payg_version_id = CASE WHEN m.session_id IS NULL THEN v.payg_version_id
                    ELSE u.plan_version_id END,
                payg_seconds = COALESCE(m.payg_seconds, v.payg_seconds),
                payg_octets = COALESCE(m.payg_octets, v.payg_octets),
                payg_micros = COALESCE(m.payg_micros, v.payg_micros),
                framed_ip = COALESCE(u.framed_ip, v.framed_ip),
                framed_ipv6_prefix = COALESCE(u.framed_ipv6_prefix, v.framed_ipv6_prefix),
                framed_ipv6_address = COALESCE(u.framed_ipv6_address, v.framed_ipv6_address),
                framed_interface_id = COALESCE(u.framed_interface_id, v.framed_interface_id),
                delegated_ipv6_prefix = COALESCE(u.delegated_ipv6_prefix, v.delegated_ipv6_prefix),
                calling_station = COALESCE(v.calling_station, u.calling_station),
                called_station = COALESCE(v.called_station, u.called_station),
                nas_port_id = COALESCE(v.nas_port_id, u.nas_port_id),
                session_class = COALESCE(u.session_class, v.session_class)
            FROM usage u
            LEFT JOIN priced m ON m.customer_id = u.customer_id
            WHERE NOT u.is_new AND v.customer_id = u.customer_id AND v.session_id = u.session_id
        ),
        spent AS (
            UPDATE entitlement e SET
                seconds_left = e.seconds_left - (c.s_until - c.s_from),
                octets_left = e.octets_left - (c.o_until - c.o_from),
                ended_at = CASE WHEN e.seconds_left = c.s_until - c.s_from
                    OR e.octets_left = c.o_until - c.o_from THEN c.event_at END,
                valid_from = CASE WHEN c.waiting
                    THEN GREATEST(LEAST(c.event_at, p_now), e.purchased_at)
                    ELSE e.valid_from END,
                valid_until = CASE WHEN c.waiting
                    THEN GREATEST(LEAST(c.event_at, p_now), e.purchased_at)
                        + e.validity_minutes * interval '1 minute'
                    ELSE e.valid_until END
            FROM cover c
            WHERE c.entitlement_id > 0 AND c.used
              AND e.customer_id = c.customer_id AND e.entitlement_id = c.entitlement_id
        ),
        sliced AS (
            INSERT INTO daily_usage AS t (customer_id, session_id, local_day, kind, entitlement_id,
                plan_version_id, tariff_window, subscription_id, org_id, seconds, input_octets,
                output_octets, charged_micros)
            SELECT s.customer_id, s.session_id, s.local_day, s.kind, s.entitlement_id,
                s.plan_version_id, s.tariff_window, s.subscription_id, s.org_id, s.seconds, s.input,
                s.octets - s.input,
                CASE WHEN s.kind = 'payg' AND s.local_day = max(s.local_day) OVER (
                        PARTITION BY s.customer_id, s.session_id, s.kind, s.tariff_window)
                    THEN CASE WHEN m.charges IS NULL THEN COALESCE(m.d_micros, 0)
                              ELSE window_micros_v1(m.charges, m.d_micros, s.tariff_window) END
                    ELSE 0 END
            FROM slice s
            LEFT JOIN priced m ON m.customer_id = s.customer_id
            ON CONFLICT (customer_id, session_id, local_day, kind, entitlement_id, plan_version_id,
                         tariff_window)
            DO UPDATE SET seconds = t.seconds + EXCLUDED.seconds,
                input_octets = t.input_octets + EXCLUDED.input_octets,
                output_octets = t.output_octets + EXCLUDED.output_octets,
                charged_micros = t.charged_micros + EXCLUDED.charged_micros
        ),
        accrued AS (
            UPDATE wallet w SET unposted_micros = w.unposted_micros + m.d_micros
            FROM priced m
            WHERE m.d_micros <> 0 AND w.customer_id = m.customer_id AND w.wallet_id = m.wallet_id
        ),
        journalled AS (
            INSERT INTO acct_journal (arrived_at, customer_id, session_id, org_id, subscription_id,
                nas_id, acct_session_id, status, event_at, session_seconds, input_octets,
                output_octets, added_seconds, added_input_octets, added_output_octets,
                charged_micros, plan_version_id, outcome, anomalies, raw, tariff_version_id)
            SELECT u.arrived_at, u.customer_id, u.session_id, u.org_id, u.subscription_id,
                u.nas_id, u.acct_session_id, u.status, u.event_at, u.seconds, u.input, u.output,
                u.d_seconds, u.d_input, u.d_output, COALESCE(m.d_micros, 0), u.plan_version_id,
                CASE WHEN NOT u.is_new AND u.d_seconds = 0 AND u.d_octets = 0
                        AND NOT (u.status = 2 AND u.old_closed_at IS NULL) THEN 'repeated'
                     WHEN NOT u.is_new AND u.event_at < u.old_last_event_at THEN 'late'
                     ELSE 'counted' END,
                NULLIF(u.all_anomalies, ''), u.raw, (u.windowed).tariff_version_id
            FROM usage u
            LEFT JOIN priced m ON m.customer_id = u.customer_id
        ),
        noted AS (
            INSERT INTO anomaly (customer_id, at, org_id, subscription_id, session_id, nas_id, code,
                                 detail)
            SELECT u.customer_id, u.arrived_at, u.org_id, u.subscription_id, u.session_id, u.nas_id,
                a.code, concat_ws(' ', 'session', u.acct_session_id, 'seconds', u.seconds, 'input',
                    u.input, 'output', u.output, u.raw)
            FROM usage u CROSS JOIN LATERAL string_to_table(u.all_anomalies, ',') AS a(code)
            WHERE u.all_anomalies <> ''
        )
        -- Who may have nothing left, or something else from now on; whose sessions hold reservations
        -- (Q4); whose package would not last for a few intervals like this one (Q5), or is so far used
        -- that its customer wants to know (P6): looked at again after this statement's writes.
        SELECT array_agg(x.customer_id), array_agg(x.subscription_id), array_agg(x.session_id),
            array_agg(x.event_at), array_agg(x.d_seconds), array_agg(x.d_octets),
            array_agg(x.is_suspect), array_agg(x.reserves), array_agg(x.is_limited),
            array_agg(x.has_ended), array_agg(x.over_seconds), array_agg(x.over_octets),
            array_agg(x.is_low), array_agg(CASE WHEN x.is_suspect AND NOT x.is_limited THEN (
                SELECT m.d_micros FROM priced m WHERE m.customer_id = x.customer_id) END)
        INTO v_closer_customer, v_closer_subscription, v_closer_session, v_closer_at,
            v_closer_seconds, v_closer_octets, v_is_suspect, v_reserves, v_is_limited, v_has_ended,
            v_over_seconds, v_over_octets, v_is_low, v_paid_micros
        FROM (
            SELECT c.customer_id, c.subscription_id, c.session_id, c.event_at, c.d_seconds,
                c.d_octets, c.reserves,
                (c.requires_entitlement OR c.is_payg) AND (NOT bool_or(c.lasts)
                    OR bool_or(c.used AND c.entitlement_id > 0 AND NOT c.lasts)) AS is_suspect,
                c.requires_entitlement AND NOT c.is_payg AS is_limited,
                bool_or(c.used AND c.entitlement_id > 0 AND NOT c.lasts) AS has_ended,
                -- The last stretch is what no package covers.
                (sum(c.s_until - c.s_from) FILTER (WHERE c.entitlement_id = 0))::bigint
                    AS over_seconds,
                (sum(c.o_until - c.o_from) FILTER (WHERE c.entitlement_id = 0))::bigint
                    AS over_octets,
                bool_or(c.used AND c.is_low) AS is_low
            FROM cover c
            GROUP BY c.customer_id, c.subscription_id, c.session_id, c.event_at, c.d_seconds,
                c.d_octets, c.reserves, c.requires_entitlement, c.is_payg
            HAVING c.reserves OR NOT bool_or(c.lasts)
                OR bool_or(c.used AND c.is_low)
                OR bool_or(c.used AND c.entitlement_id > 0 AND NOT c.lasts OR c.lasts AND (
                    (c.octets_left - (c.o_until - c.o_from)) / 4 <= c.d_octets
                    OR (c.seconds_left - (c.s_until - c.s_from)) / 4 <= c.d_seconds))
        ) x;

        IF v_closer_customer IS NOT NULL THEN
            v_orders := v_orders + look_closer_v1(p_now, v_closer_customer, v_closer_subscription,
                v_closer_session, v_closer_at, v_closer_seconds, v_closer_octets, v_is_suspect,
                v_reserves, v_is_limited, v_has_ended, v_over_seconds, v_over_octets,
                v_paid_micros);
            -- The sweep looks at once, tells the customer and arms the next level (P6).
            IF true = ANY (v_is_low) THEN
                UPDATE subscription s SET service_next_change_at = p_now
                FROM unnest(v_closer_customer, v_closer_subscription, v_is_low)
                    AS x(customer_id, subscription_id, is_low)
                WHERE x.is_low AND s.customer_id = x.customer_id
                  AND s.subscription_id = x.subscription_id;
            END IF;
        END IF;
    END LOOP;

    IF v_orders > 0 THEN
        PERFORM pg_notify('tollway_coa', '');
    END IF;
    RETURN v_orders;
END $$;

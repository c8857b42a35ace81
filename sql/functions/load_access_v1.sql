-- All that the decision on a batch of Access-Requests needs, in one read (rules A1, A4).
-- One row per element of the arrays, in `ord`; customer_id is NULL for unknown names.
-- Plan terms, profile switches and NAS traits come as keys with revisions: readers cache them.
-- `entitlements` lists what is open, in the order of use (Q1), one after the other as
--   id:version:minutes:from:until:seconds_left:octets_left:follows;
-- with instants in microseconds since 1970 and empty fields for NULL. `bills` lists unpaid ones as
--   number|due day|open micros;
-- `cap` is the wallet's spending cap where it has one of the present month (P14), in micros:
--   cap:left:until;
-- `promised` is what a promise to pay lends the wallet until an instant (B19);
-- `own_reply` is JSON (billing.model.own_reply), NULL for whoever has nothing of its own.
CREATE FUNCTION load_access_v1(
    p_now timestamptz, p_username text[], p_nas_address inet[], p_station text[]
) RETURNS TABLE (
    ord int, nas_id bigint, customer_id bigint, subscription_id bigint, org_id bigint,
    created_at timestamptz, profile_id bigint, profile_revision int, plan_version_id bigint,
    secret_sealed bytea, nt_hash bytea, pbkdf2 text, framed_ip text,
    speed_up_kbps bigint, speed_down_kbps bigint,
    allowed_nas_ids bigint[], allowed_macs text[], login_hours text, session_limit bigint,
    closed_at timestamptz, hold_note text, hold_until timestamptz, hold_behaviour text,
    paused_at timestamptz, discontinue_on date, promise_until date,
    currency text, posted_micros bigint, unposted_micros bigint, reserved_micros bigint,
    credit_limit_micros bigint,
    entitlements text, last_ended text, paid_until date, bills text,
    open_sessions int, station_known boolean, station_failures int, all_failures int,
    own_reply text, vendor text, cap text, on_hold_since timestamptz,
    promised_micros bigint, promised_until timestamptz
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- A silent session does not hold a place past this age (rule A7), failures count this long.
    c_silence constant interval := interval '15 minutes';
    c_throttle_window constant interval := interval '5 minutes';
BEGIN
    RETURN QUERY
    SELECT q.ord::int, n.nas_id, s.customer_id, s.subscription_id, s.org_id,
        s.created_at, p.profile_id, p.revision, s.plan_version_id,
        s.secret_sealed, s.nt_hash, s.pbkdf2, host(s.framed_ip),
        -- Its own speed, unless fair use leaves less (Q2).
        LEAST(s.speed_up_kbps, s.capped_up_kbps), LEAST(s.speed_down_kbps, s.capped_down_kbps),
        s.allowed_nas_ids, s.allowed_macs, s.login_hours, s.session_limit,
        LEAST(s.closed_at, c.closed_at), s.hold_note, s.hold_until, s.hold_behaviour,
        s.paused_at, c.discontinue_on, c.promise_until,
        w.currency, w.posted_micros, w.unposted_micros, w.reserved_micros, w.credit_limit_micros,
        open.list, ended.list, bill.paid_until, bill.list,
        COALESCE(live.open_sessions, 0), COALESCE(live.station_known, false),
        COALESCE(own.failures, 0), COALESCE(everyone.failures, 0),
        CASE WHEN s.reply_attributes IS NOT NULL OR s.framed_ipv6_prefix IS NOT NULL
            OR s.delegated_ipv6_prefix IS NOT NULL OR s.framed_ipv6_address IS NOT NULL
        THEN jsonb_build_object('framed_ipv6_prefix', s.framed_ipv6_prefix::text,
            'delegated_ipv6_prefix', s.delegated_ipv6_prefix::text,
            'framed_ipv6_address', host(s.framed_ipv6_address),
            'attributes', s.reply_attributes)::text END,
        n.vendor,
        CASE WHEN w.cap_floor_micros IS NOT NULL AND w.cap_until > p_now THEN
            concat(w.cap_micros, ':', w.posted_micros - w.unposted_micros - w.cap_floor_micros, ':',
                (EXTRACT(epoch FROM w.cap_until) * 1000000)::bigint) END,
        s.on_hold_since, w.promised_micros, w.promised_until
    FROM unnest(p_username, p_nas_address, p_station)
        WITH ORDINALITY AS q(username, nas_address, station, ord)
    LEFT JOIN nas n ON n.address = q.nas_address
    LEFT JOIN login l ON l.username = q.username
    LEFT JOIN subscription s
        ON s.customer_id = l.customer_id AND s.subscription_id = l.subscription_id
    LEFT JOIN customer c ON c.customer_id = s.customer_id
    LEFT JOIN billing_profile p ON p.profile_id = COALESCE(s.profile_id, c.profile_id)
    LEFT JOIN wallet w ON w.customer_id = s.customer_id AND w.wallet_id = s.wallet_id
    LEFT JOIN LATERAL (
        SELECT string_agg(concat(e.entitlement_id, ':', e.plan_version_id, ':', e.validity_minutes,
            ':', (EXTRACT(epoch FROM e.valid_from) * 1000000)::bigint, ':', (EXTRACT(epoch FROM e.valid_until) * 1000000)::bigint,
            ':', e.seconds_left, ':', e.octets_left, ':', e.follows), ';'
            ORDER BY e.valid_from IS NULL OR e.valid_from > p_now, e.use_order, e.valid_until,
                e.entitlement_id)
        FROM entitlement e
        WHERE e.customer_id = s.customer_id AND e.subscription_id = s.subscription_id
          AND e.ended_at IS NULL AND (e.valid_until IS NULL OR e.valid_until > p_now)
    ) open(list) ON true
    LEFT JOIN LATERAL (
        SELECT concat(e.entitlement_id, ':', e.plan_version_id, ':', e.validity_minutes,
            ':', (EXTRACT(epoch FROM e.valid_from) * 1000000)::bigint, ':', (EXTRACT(epoch FROM e.valid_until) * 1000000)::bigint,
            ':', e.seconds_left, ':', e.octets_left, ':', e.follows)
        FROM entitlement e
        WHERE e.customer_id = s.customer_id AND e.subscription_id = s.subscription_id
          AND (e.ended_at IS NOT NULL OR e.valid_until <= p_now)
          -- Not as a condition of the join: then every past package would be read at every login.
          AND open.list IS NULL
        ORDER BY LEAST(e.ended_at, e.valid_until) DESC LIMIT 1
    ) ended(list) ON true
    LEFT JOIN LATERAL (
        -- What a move to daily gave back is not paid any more for whoever has come back since; what a
        -- change of plan gave back is: another bill has these days (B9, B17).
        SELECT max(COALESCE(i.served_until, i.cycle_until)) FILTER (WHERE i.paid_at IS NOT NULL
                AND (i.paid_micros > 0 OR i.total_micros = 0)) AS paid_until,
            string_agg(concat(i.number, '|', i.due_on, '|',
                    i.total_micros - i.paid_micros - i.credited_micros), ';'
                ORDER BY i.due_on, i.invoice_id) FILTER (WHERE i.paid_at IS NULL) AS list
        FROM invoice i
        WHERE i.customer_id = s.customer_id
          AND (i.subscription_id = s.subscription_id OR i.subscription_id IS NULL)
          AND (NOT s.requires_entitlement OR c.discontinue_on IS NOT NULL)
    ) bill ON true
    LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE v.closed_at IS NULL
                AND v.last_arrival_at > p_now - c_silence
                AND v.calling_station IS DISTINCT FROM q.station)::int AS open_sessions,
            bool_or(v.calling_station = q.station) AS station_known
        FROM live_session v
        WHERE v.customer_id = s.customer_id AND v.subscription_id = s.subscription_id
    ) live ON true
    LEFT JOIN login_throttle own ON own.username = q.username AND own.calling_station = q.station
        AND own.window_started_at > p_now - c_throttle_window
    LEFT JOIN login_throttle everyone ON everyone.username = q.username
        AND everyone.calling_station = '' AND everyone.window_started_at > p_now - c_throttle_window;
END $$;

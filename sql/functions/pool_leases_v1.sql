-- Every lease of a pool and what has become of it (rule A6). No record is written at the end of a
-- session: a lease is over when its session is, and that is read here.
--   running  an open session has the address, heard of within the time it may be silent (U10)
--   waiting  granted a moment ago, no session shows yet
--   ended    neither: the address may go to somebody else
CREATE FUNCTION pool_leases_v1(p_now timestamptz, p_pool_id bigint) RETURNS TABLE (
    pool_id bigint, address inet, customer_id bigint, subscription_id bigint, calling_station text,
    leased_at timestamptz, session_id bigint, nas_id bigint, session_started_at timestamptz,
    state text
) LANGUAGE sql STABLE AS $$
    SELECT a.pool_id, a.address, a.customer_id, a.subscription_id, a.calling_station, a.leased_at,
        open.session_id, open.nas_id, open.started_at,
        CASE WHEN open.session_id IS NOT NULL THEN 'running'
             WHEN a.leased_at > p_now - interval '60 seconds' AND NOT EXISTS (
                SELECT 1 FROM live_session v
                WHERE v.customer_id = a.customer_id AND v.subscription_id = a.subscription_id
                  AND v.session_id > a.after_session_id
                  AND COALESCE(v.framed_ip = a.address,
                               v.calling_station IS NOT DISTINCT FROM a.calling_station))
             THEN 'waiting' ELSE 'ended' END
    FROM pool_address a
    CROSS JOIN (SELECT heard_since_v1(p_now) AS since OFFSET 0) heard
    LEFT JOIN LATERAL (
        SELECT v.session_id, v.nas_id, v.started_at
        FROM (
            -- OFFSET 0: first the subscription's sessions; the index of all open ones is not for this.
            SELECT * FROM live_session s
            WHERE s.customer_id = a.customer_id AND s.subscription_id = a.subscription_id OFFSET 0
        ) v
        WHERE v.closed_at IS NULL
          AND (v.last_arrival_at > p_now - make_interval(secs => a.silence_seconds)
               OR heard.since > p_now - make_interval(secs => a.silence_seconds))
          -- Some NAS leave the address out of their records: then the station tells.
          AND COALESCE(v.framed_ip = a.address,
                       v.calling_station IS NOT DISTINCT FROM a.calling_station)
        ORDER BY v.session_id DESC LIMIT 1
    ) open ON true
    WHERE a.pool_id = p_pool_id AND a.leased_at IS NOT NULL
$$;

-- A usage that spread evenly from p_from_at to p_event_at, by local day and tariff window (U9, Q3):
-- consecutive pieces of its two axes, whole seconds and octets. A boundary lies at the whole part of
-- its share and the last piece takes what is left, so that nothing is lost; what took no time
-- belongs to its instant. paid_*: the axes without what is free, which packages and money pay for.
--
-- p_free_windows, p_priced_windows: as plan_version.tariff_windows has them (billing/model/tariff.py),
-- of the version whose free windows hold and of the one whose prices do. A free one goes before.
CREATE FUNCTION tariff_pieces_v1(
    p_from_at timestamptz, p_event_at timestamptz, p_zone text, p_seconds bigint, p_octets bigint,
    p_free_windows text, p_priced_windows text
) RETURNS usage_piece[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        WITH word AS (
            SELECT w.place, split_part(w.text, ':', 1) AS name, split_part(w.text, ':', 2) AS weekdays,
                split_part(w.text, ':', 3)::int * interval '1 minute' AS from_time,
                split_part(w.text, ':', 4)::int * interval '1 minute' AS until_time, w.is_free
            FROM (
                SELECT f.place, f.text, true AS is_free
                FROM string_to_table(p_free_windows, ' ') WITH ORDINALITY AS f(text, place)
                WHERE split_part(f.text, ':', 5) = 'free'
                UNION ALL
                SELECT 1000 + f.place, f.text, false
                FROM string_to_table(p_priced_windows, ' ') WITH ORDINALITY AS f(text, place)
                WHERE split_part(f.text, ':', 5) <> 'free'
            ) w
        ),
        day AS (
            SELECT d::timestamp AS midnight, EXTRACT(isodow FROM d)::int - 1 AS weekday
            FROM generate_series(((p_from_at AT TIME ZONE p_zone)::date - 1)::timestamp,
                                 (p_event_at AT TIME ZONE p_zone)::date::timestamp,
                                 interval '1 day') AS d
        ),
        -- A window that passes midnight has begun on the day before.
        span AS MATERIALIZED (
            SELECT w.place, w.name, w.is_free,
                local_instant_v1(d.midnight + w.from_time, p_zone) AS begins,
                local_instant_v1(d.midnight + w.until_time, p_zone) AS ends
            FROM day d JOIN word w ON strpos(w.weekdays, d.weekday::text) > 0
        ),
        edge AS (
            SELECT e.at FROM (
                SELECT begins AS at FROM span
                UNION SELECT ends FROM span
                UNION SELECT local_instant_v1(midnight, p_zone) FROM day
            ) e
            WHERE e.at > p_from_at AND e.at < p_event_at
            UNION ALL SELECT p_event_at
        ),
        stretch AS (
            SELECT COALESCE(lag(e.at) OVER w, p_from_at) AS since, e.at AS until,
                CASE WHEN e.at = p_event_at THEN p_seconds
                     ELSE div(p_seconds * t.elapsed, t.whole)::bigint END AS s_until,
                CASE WHEN e.at = p_event_at THEN p_octets
                     ELSE div(p_octets * t.elapsed, t.whole)::bigint END AS o_until
            FROM edge e
            CROSS JOIN LATERAL (SELECT EXTRACT(epoch FROM p_event_at - p_from_at) AS whole,
                                       EXTRACT(epoch FROM e.at - p_from_at) AS elapsed) t
            WINDOW w AS (ORDER BY e.at)
        ),
        piece AS (
            SELECT s.since, (s.since AT TIME ZONE p_zone)::date AS local_day,
                COALESCE(t.name, '') AS tariff_window, COALESCE(t.is_free, false) AS is_free,
                COALESCE(lag(s.s_until) OVER w, 0) AS s_from, s.s_until,
                COALESCE(lag(s.o_until) OVER w, 0) AS o_from, s.o_until
            FROM stretch s
            LEFT JOIN LATERAL (
                SELECT n.name, n.is_free FROM span n
                WHERE n.begins <= s.since AND s.since < n.ends ORDER BY n.place LIMIT 1
            ) t ON true
            WINDOW w AS (ORDER BY s.until)
        )
        SELECT array_agg((p.local_day, p.tariff_window, p.is_free, p.s_from, p.s_until, p.o_from, p.o_until,
                p.s_paid - CASE WHEN p.is_free THEN 0 ELSE p.s_until - p.s_from END, p.s_paid,
                p.o_paid - CASE WHEN p.is_free THEN 0 ELSE p.o_until - p.o_from END, p.o_paid
            )::usage_piece ORDER BY p.since)
        FROM (
            SELECT piece.*,
                sum(CASE WHEN is_free THEN 0 ELSE s_until - s_from END) OVER w AS s_paid,
                sum(CASE WHEN is_free THEN 0 ELSE o_until - o_from END) OVER w AS o_paid
            FROM piece WINDOW w AS (ORDER BY since)
        ) p
    );
END $$;

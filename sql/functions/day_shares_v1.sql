-- Where each local day from p_from_day to p_event_day ends on the axes of a usage that spread
-- evenly from p_from_at to p_event_at (U9). A day begins at local midnight: forward where there is
-- none, the first one where there are two (M3). The last day takes what is left.
CREATE FUNCTION day_shares_v1(
    p_from_at timestamptz, p_event_at timestamptz, p_from_day date, p_event_day date, p_zone text,
    p_seconds bigint, p_octets bigint
) RETURNS TABLE (local_day date, s_until bigint, o_until bigint) LANGUAGE sql STABLE AS $$
    SELECT d.local_day,
        CASE WHEN d.local_day = p_event_day THEN p_seconds
             ELSE div(p_seconds * t.elapsed, t.whole)::bigint END,
        CASE WHEN d.local_day = p_event_day THEN p_octets
             ELSE div(p_octets * t.elapsed, t.whole)::bigint END
    FROM (SELECT p_from_day + n AS local_day
          FROM generate_series(0, p_event_day - p_from_day) AS n) d
    CROSS JOIN LATERAL (
        SELECT (d.local_day + 1)::timestamp AS next_midnight,
            (d.local_day + 1)::timestamp AT TIME ZONE p_zone AS ends_at
    ) m
    CROSS JOIN LATERAL (
        SELECT EXTRACT(epoch FROM p_event_at - p_from_at) AS whole,
            EXTRACT(epoch FROM m.ends_at - p_from_at
                - CASE WHEN (m.ends_at - interval '1 hour') AT TIME ZONE p_zone = m.next_midnight
                       THEN interval '1 hour' ELSE interval '0' END) AS elapsed
    ) t
$$;

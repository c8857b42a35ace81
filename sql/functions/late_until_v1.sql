-- Until when a record may still belong to a closed session (rule U11). A record counts for a session
-- when the start computed from it is not after the session's last event (U3), and its event time is at
-- most 24 hours before its arrival (U6): so a session of an hour is out of reach 25 hours after its
-- last record. The minutes are for clocks. An end that was only guessed (U7, U10) is corrected by
-- whatever the NAS sends when it is reachable again: such a session waits for a month more.
CREATE FUNCTION late_until_v1(
    p_last_event_at timestamptz, p_last_arrival_at timestamptz, p_session_seconds bigint,
    p_terminate_cause text
) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT GREATEST(p_last_event_at, p_last_arrival_at) + interval '24 hours 10 minutes'
        -- A year at most: a NAS may report any number.
        + LEAST(p_session_seconds, 31536000) * interval '1 second'
        + CASE WHEN p_terminate_cause IN ('NAS-Reboot', 'Lost-Stop') THEN interval '31 days'
               ELSE interval '0' END
$$;

-- The accounting server says that it hears NAS, and that all it has heard is charged. Said every ten
-- seconds; a pause of more than a minute was a break (an outage of the database, of the server, or of
-- the machine).
CREATE FUNCTION hear_v1(p_now timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO hearing AS h (hearing_id, since, last_at) VALUES (1, NULL, p_now)
    ON CONFLICT (hearing_id) DO UPDATE SET
        since = CASE WHEN p_now - h.last_at > interval '60 seconds' THEN p_now ELSE h.since END,
        last_at = GREATEST(h.last_at, p_now)
$$;

-- The instant of a local wall time: one that does not exist moves forward, one that exists twice
-- means the first (M3).
CREATE FUNCTION local_instant_v1(p_local timestamp, p_zone text)
RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT t.instant - CASE WHEN (t.instant - interval '1 hour') AT TIME ZONE p_zone = p_local
        THEN interval '1 hour' ELSE interval '0' END
    FROM (SELECT p_local AT TIME ZONE p_zone AS instant) t
$$;

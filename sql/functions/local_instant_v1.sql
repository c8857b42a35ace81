-- The instant of a local wall time: one that does not exist moves forward, one that exists twice
-- means the first (M3). In PL/pgSQL, as all functions of windows: it keeps their plans.
CREATE FUNCTION local_instant_v1(p_local timestamp, p_zone text)
RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_instant constant timestamptz := p_local AT TIME ZONE p_zone;
BEGIN
    RETURN v_instant - CASE WHEN (v_instant - interval '1 hour') AT TIME ZONE p_zone = p_local
        THEN interval '1 hour' ELSE interval '0' END;
END $$;

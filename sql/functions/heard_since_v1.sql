-- Since when accounting has been heard without a break (rule U10): a session that was silent before
-- that may only not have been heard. NULL: no break is known. While nobody listens, or what was heard
-- is not charged yet, it is p_now: then no session counts as silent.
CREATE FUNCTION heard_since_v1(p_now timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN h.last_at < p_now - interval '60 seconds' THEN p_now ELSE h.since END
    FROM hearing h
$$;

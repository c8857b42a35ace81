-- Removes at most p_limit dead letters that are more than p_keep_days old, oldest first (retention, rule
-- U11); returns how many. Nobody may remove them otherwise, and what is younger than a week stays.
CREATE FUNCTION drop_old_letters_v1(p_now timestamptz, p_keep_days int, p_limit int)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_dropped int;
BEGIN
    IF p_keep_days < 7 THEN
        RAISE EXCEPTION 'dead letters are not dropped after % days', p_keep_days;
    END IF;
    DELETE FROM acct_dead_letter d USING (
        SELECT o.letter_id FROM acct_dead_letter o
        WHERE o.arrived_at < p_now - make_interval(days => p_keep_days)
        ORDER BY o.arrived_at LIMIT p_limit
    ) old
    WHERE d.letter_id = old.letter_id;
    GET DIAGNOSTICS v_dropped = ROW_COUNT;
    RETURN v_dropped;
END $$;

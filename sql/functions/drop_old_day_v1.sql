-- Drops the oldest day of the raw journal or of the login history that is more than p_keep_days old
-- (retention, rule U11); returns its name, NULL when there is none, or when somebody reads the table
-- just now: whoever writes would have to wait behind the drop, so it gives up at once and is asked for
-- again. Days run in UTC, as in ensure_partitions_v1. What is younger than a week is never dropped.
CREATE FUNCTION drop_old_day_v1(p_now timestamptz, p_parent text, p_keep_days int)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET lock_timeout = '100ms' AS $$
DECLARE
    v_name text;
BEGIN
    IF p_parent NOT IN ('acct_journal', 'login_attempt') OR p_keep_days < 7 THEN
        RAISE EXCEPTION 'days of % are not dropped after % days', p_parent, p_keep_days;
    END IF;
    SELECT c.relname INTO v_name
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = to_regclass(p_parent) AND c.relname ~ ('^' || p_parent || '_p[0-9]{8}$')
      AND c.relname < p_parent || '_p'
          || to_char(p_now AT TIME ZONE 'UTC' - make_interval(days => p_keep_days), 'YYYYMMDD')
    ORDER BY c.relname LIMIT 1;
    IF v_name IS NOT NULL THEN
        EXECUTE format('DROP TABLE %I', v_name);
    END IF;
    RETURN v_name;
EXCEPTION WHEN lock_not_available THEN
    RETURN NULL;
END $$;

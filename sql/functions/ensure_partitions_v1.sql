-- Makes the partitions that records of the near past and future need; repeatable, one caller at a
-- time. Rows that came while there was none are in the default partition, and move: no partition
-- can be added that rows of the default one belong to. The default one is locked from the move to
-- the commit, so that none is added to it; records with a partition of their own go on. Days run in
-- UTC: a partition is a matter of storage, not of billing.
CREATE FUNCTION ensure_partitions_v1(p_now timestamptz, p_days_ahead int DEFAULT 14)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_next record;
    v_made int := 0;
BEGIN
    LOCK TABLE ONLY acct_journal, ONLY login_attempt, ONLY session_history
        IN SHARE UPDATE EXCLUSIVE MODE;
    FOR v_next IN
        SELECT k.parent, k.parent || '_default' AS rest, k.key, n.name,
            d.begins AT TIME ZONE 'UTC' AS from_at, (d.begins + k.step) AT TIME ZONE 'UTC' AS until_at
        FROM (VALUES
            ('acct_journal', 'arrived_at', 'day', interval '1 day', -2, p_days_ahead, 'YYYYMMDD'),
            ('login_attempt', 'at', 'day', interval '1 day', -2, p_days_ahead, 'YYYYMMDD'),
            ('session_history', 'started_at', 'month', interval '1 month', -1, 2, 'YYYYMM')
        ) AS k(parent, key, unit, step, first, last, pattern)
        CROSS JOIN LATERAL generate_series(k.first, k.last) AS s(place)
        CROSS JOIN LATERAL (
            SELECT date_trunc(k.unit, p_now AT TIME ZONE 'UTC') + s.place * k.step AS begins) d
        CROSS JOIN LATERAL (SELECT k.parent || '_p' || to_char(d.begins, k.pattern) AS name) n
        WHERE to_regclass(n.name) IS NULL
    LOOP
        -- Identity stays the parent's: a partition may not bring one.
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING IDENTITY)',
                       v_next.name, v_next.parent);
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', v_next.rest);
        EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) '
                       'INSERT INTO %I SELECT * FROM moved',
                       v_next.rest, v_next.key, v_next.from_at, v_next.key, v_next.until_at,
                       v_next.name);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       v_next.parent, v_next.name, v_next.from_at, v_next.until_at);
        v_made := v_made + 1;
    END LOOP;
    RETURN v_made;
END $$;

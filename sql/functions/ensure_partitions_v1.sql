-- Makes the partitions that records of the near past and future need; repeatable.
-- Days run in UTC: a partition is a matter of storage, not of billing.
CREATE FUNCTION ensure_partitions_v1(p_now timestamptz, p_days_ahead int DEFAULT 14)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_parent text;
    v_from   timestamptz;
    v_until  timestamptz;
    v_name   text;
    v_made   int := 0;
BEGIN
    FOREACH v_parent IN ARRAY ARRAY['acct_journal', 'login_attempt'] LOOP
        FOR day IN -2..p_days_ahead LOOP
            v_from := (date_trunc('day', p_now AT TIME ZONE 'UTC') + day * interval '1 day') AT TIME ZONE 'UTC';
            v_until := v_from + interval '24 hours';
            v_name := v_parent || '_p' || to_char(v_from AT TIME ZONE 'UTC', 'YYYYMMDD');
            IF to_regclass(v_name) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                               v_name, v_parent, v_from, v_until);
                v_made := v_made + 1;
            END IF;
        END LOOP;
    END LOOP;
    FOR month IN -1..2 LOOP
        v_from := (date_trunc('month', p_now AT TIME ZONE 'UTC') + month * interval '1 month') AT TIME ZONE 'UTC';
        v_until := (date_trunc('month', p_now AT TIME ZONE 'UTC') + (month + 1) * interval '1 month') AT TIME ZONE 'UTC';
        v_name := 'session_history_p' || to_char(v_from AT TIME ZONE 'UTC', 'YYYYMM');
        IF to_regclass(v_name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF session_history FOR VALUES FROM (%L) TO (%L)',
                           v_name, v_from, v_until);
            v_made := v_made + 1;
        END IF;
    END LOOP;
    RETURN v_made;
END $$;

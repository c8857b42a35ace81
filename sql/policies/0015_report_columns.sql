-- Reports see every column but secrets (security.md 14): those that were added since the roles were
-- made, too. A migration that adds a column runs this again.
DO $$
DECLARE
    v_table text;
    v_columns text;
BEGIN
    FOR v_table, v_columns IN
        SELECT c.table_name, string_agg(quote_ident(c.column_name), ', ')
        FROM information_schema.columns c
        WHERE c.table_schema = 'public' AND c.table_name IN (
                SELECT relname FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                  AND NOT relispartition AND relname NOT LIKE 'procrastinate%')
          AND c.table_name NOT IN ('enrolment', 'staff_session', 'staff_throttle')
          AND c.column_name NOT IN ('secret_sealed', 'nt_hash', 'pbkdf2', 'password',
                                    'session_token', 'totp_secret_sealed')
        GROUP BY c.table_name
    LOOP
        EXECUTE format('GRANT SELECT (%s) ON %I TO tollway_readonly', v_columns, v_table);
    END LOOP;
END $$;

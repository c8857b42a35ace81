-- The job queue belongs to no organisation: jobs carry ids, never names, amounts or secrets.
--   worker    everything
--   panel     adds a job, reads back its number, nothing else
DO $$
DECLARE
    v_name text;
BEGIN
    FOR v_name IN
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
          AND c.relname LIKE 'procrastinate\_%'
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO tollway_worker', v_name);
    END LOOP;
    FOR v_name IN
        SELECT p.oid::regprocedure::text FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'procrastinate\_%'
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', v_name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO tollway_worker', v_name);
    END LOOP;
    FOR v_name IN
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S'
          AND c.relname LIKE 'procrastinate\_%'
    LOOP
        EXECUTE format('GRANT USAGE ON SEQUENCE %I TO tollway_worker, tollway_panel', v_name);
    END LOOP;
END $$;

GRANT EXECUTE ON FUNCTION procrastinate_defer_jobs_v1 TO tollway_panel;
GRANT INSERT ON procrastinate_jobs, procrastinate_events TO tollway_panel;
GRANT SELECT (id) ON procrastinate_jobs TO tollway_panel;

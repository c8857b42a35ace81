-- Whoever may change bills may write them off. What was written off and dunned never changes (I5).
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['write_off', 'dunning_step', 'dunning_event'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY everything ON %I TO tollway_worker, tollway_readonly '
                       'USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('CREATE POLICY own_organisations ON %I TO tollway_panel '
                       'USING (org_id = ANY (visible_org_ids_v1())) '
                       'WITH CHECK (org_id = ANY (visible_org_ids_v1()))', v_table);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO tollway_panel, tollway_worker', v_table);
        EXECUTE format('GRANT SELECT ON %I TO tollway_readonly', v_table);
    END LOOP;
END $$;
GRANT DELETE ON dunning_step TO tollway_panel, tollway_worker;
GRANT UPDATE (written_off_micros) ON invoice TO tollway_panel, tollway_worker;
GRANT UPDATE (waived_at) ON charge TO tollway_panel, tollway_worker;
GRANT SELECT (written_off_micros) ON invoice TO tollway_readonly;
GRANT SELECT (dunning_tolerance_micros, reconnection_fee_micros) ON billing_profile TO tollway_readonly;

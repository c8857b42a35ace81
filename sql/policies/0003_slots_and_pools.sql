-- Session slots and address pools (rules A6, A7).
--   radius    takes and frees slots and addresses, makes no pool
--   panel     its own organisations' pools; frees addresses
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['session_slot', 'address_pool', 'pool_address'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY everything ON %I TO tollway_worker, tollway_radius, '
                       'tollway_readonly USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('CREATE POLICY own_organisations ON %I TO tollway_panel '
                       'USING (org_id = ANY (visible_org_ids_v1())) '
                       'WITH CHECK (org_id = ANY (visible_org_ids_v1()))', v_table);
        EXECUTE format('GRANT SELECT ON %I TO tollway_panel, tollway_radius, tollway_worker, '
                       'tollway_readonly', v_table);
    END LOOP;
END $$;

GRANT INSERT ON address_pool, pool_address TO tollway_panel, tollway_worker;
GRANT UPDATE ON pool_address TO tollway_panel, tollway_worker, tollway_radius;
GRANT INSERT, DELETE ON session_slot TO tollway_radius, tollway_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_radius, tollway_worker;

REVOKE EXECUTE ON FUNCTION take_slot_v1, pool_leases_v1, reclaim_addresses_v1, lease_address_v1,
    end_taken_over_v1, admit_logins_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION take_slot_v1, pool_leases_v1, reclaim_addresses_v1, lease_address_v1,
    end_taken_over_v1, admit_logins_v1 TO tollway_radius, tollway_worker;
GRANT EXECUTE ON FUNCTION pool_leases_v1 TO tollway_panel;

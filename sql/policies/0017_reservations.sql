-- Reservations and overspend (rule Q4).
--   radius    takes, posts and releases; the worker too; nobody deletes
--   panel     reads its own organisations'
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['reservation', 'overspend'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY everything ON %I TO tollway_worker, tollway_radius, '
                       'tollway_readonly USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('CREATE POLICY own_organisations ON %I TO tollway_panel '
                       'USING (org_id = ANY (visible_org_ids_v1())) '
                       'WITH CHECK (org_id = ANY (visible_org_ids_v1()))', v_table);
        EXECUTE format('GRANT SELECT ON %I TO tollway_panel, tollway_radius, tollway_worker, '
                       'tollway_readonly', v_table);
        EXECUTE format('GRANT INSERT, UPDATE ON %I TO tollway_radius, tollway_worker', v_table);
    END LOOP;
END $$;

-- One that no NAS was told of, as its login was refused for another reason, was never taken.
GRANT DELETE ON reservation TO tollway_radius;
GRANT UPDATE (reserves) ON subscription TO tollway_radius;
-- A new limit takes the place of one that was not sent yet.
GRANT UPDATE (state, finished_at) ON coa_intent TO tollway_radius;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_radius, tollway_worker;

REVOKE EXECUTE ON FUNCTION reservable_v1, settle_grants_v1, release_lapsed_v1, take_grant_v1,
    find_grant_v1, order_change_v1, top_up_v1, use_up_grant_v1, post_grant_v1, note_overspend_v1,
    tighten_v1, look_closer_v1, admit_logins_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reservable_v1, settle_grants_v1, take_grant_v1, find_grant_v1,
    order_change_v1, top_up_v1, use_up_grant_v1, post_grant_v1, note_overspend_v1, tighten_v1,
    look_closer_v1, admit_logins_v1 TO tollway_radius, tollway_worker;
GRANT EXECUTE ON FUNCTION release_lapsed_v1 TO tollway_worker;
GRANT EXECUTE ON FUNCTION reservable_v1 TO tollway_panel;

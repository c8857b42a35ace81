-- Whoever may sell writes receipts and what is to be earned; receipts and moves never change (rule I6).
ALTER TABLE receipt ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON receipt TO tollway_worker, tollway_readonly USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON receipt TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
ALTER TABLE deferred_item ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON deferred_item TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON deferred_item TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
ALTER TABLE deferred_move ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON deferred_move TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON deferred_move TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON receipt, deferred_item, deferred_move TO tollway_panel, tollway_worker;
GRANT UPDATE (earned_micros, breakage_micros, returned_micros, posted_through, finished_on)
    ON deferred_item TO tollway_panel, tollway_worker;
GRANT SELECT ON receipt, deferred_item, deferred_move TO tollway_readonly;
GRANT SELECT (tax_point) ON billing_profile TO tollway_readonly;
GRANT SELECT (tax_point) ON invoice TO tollway_readonly;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;

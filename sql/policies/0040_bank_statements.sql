-- Lines of statements are never changed, but for the payment that each became in the same transaction.
ALTER TABLE bank_account ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON bank_account TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON bank_account TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON bank_account TO tollway_panel, tollway_worker;
GRANT UPDATE (format) ON bank_account TO tollway_panel, tollway_worker;
GRANT SELECT ON bank_account TO tollway_readonly;
ALTER TABLE bank_import ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON bank_import TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON bank_import TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON bank_import TO tollway_panel, tollway_worker;
GRANT UPDATE (payment_id) ON bank_import TO tollway_panel, tollway_worker;
GRANT SELECT ON bank_import TO tollway_readonly;
GRANT SELECT (taken_by) ON payment TO tollway_readonly;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;

-- Who has no design of its own has the operator's, which all of its staff may read; customers print no cards.
ALTER TABLE voucher_design ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON voucher_design TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON voucher_design TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY operators ON voucher_design FOR SELECT TO tollway_panel
    USING (org_id = 1 AND cardinality(visible_org_ids_v1()) > 0);
CREATE POLICY no_customer ON voucher_design AS RESTRICTIVE TO tollway_panel
    USING ((SELECT visible_customer_id_v1()) IS NULL)
    WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL);
GRANT SELECT, INSERT, UPDATE, DELETE ON voucher_design TO tollway_worker, tollway_panel;
GRANT SELECT ON voucher_design TO tollway_readonly;

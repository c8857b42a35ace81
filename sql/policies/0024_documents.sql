-- What stands on bills; the worker may write organisations and customers already.
GRANT SELECT (postal_address, tax_id) ON organisation, customer TO tollway_readonly;

-- How they look. Who has no design of its own has the operator's, which everybody logged in may read.
ALTER TABLE invoice_design ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON invoice_design TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON invoice_design TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY operators ON invoice_design FOR SELECT TO tollway_panel
    USING (org_id = 1 AND cardinality(visible_org_ids_v1()) > 0);
GRANT SELECT, INSERT, UPDATE, DELETE ON invoice_design TO tollway_worker, tollway_panel;
GRANT SELECT ON invoice_design TO tollway_readonly;

-- What bills said of both sides when they were issued stays for ever: nobody changes it.
ALTER TABLE organisation_letterhead ENABLE ROW LEVEL SECURITY;
ALTER TABLE customer_letterhead ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON organisation_letterhead TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY everything ON customer_letterhead TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON organisation_letterhead TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY own_organisations ON customer_letterhead TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON organisation_letterhead, customer_letterhead
    TO tollway_worker, tollway_panel;
GRANT SELECT ON organisation_letterhead, customer_letterhead TO tollway_readonly;
GRANT SELECT (country) ON organisation, customer TO tollway_readonly;
GRANT SELECT (e_invoice) ON organisation TO tollway_readonly;
GRANT SELECT (monthly_statement) ON billing_profile TO tollway_readonly;
GRANT SELECT (monthly_statement, stated_until) ON customer TO tollway_readonly;
GRANT SELECT (seller_letterhead_id, buyer_letterhead_id) ON invoice, credit_note TO tollway_readonly;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;

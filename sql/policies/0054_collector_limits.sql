-- A collector's limit is its organisation's; receipts are entered by a function, which keeps to it (R4).
ALTER TABLE collector_limit ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON collector_limit TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON collector_limit TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY no_customer ON collector_limit AS RESTRICTIVE TO tollway_panel
    USING ((SELECT visible_customer_id_v1()) IS NULL)
    WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL);
CREATE POLICY no_cashier ON collector_limit AS RESTRICTIVE TO tollway_panel
    USING (NOT (SELECT is_cashier_v1())) WITH CHECK (NOT (SELECT is_cashier_v1()));
GRANT SELECT, INSERT ON collector_limit TO tollway_panel, tollway_worker;
GRANT UPDATE (limit_micros, currency, set_at, set_by) ON collector_limit TO tollway_panel, tollway_worker;
GRANT SELECT ON collector_limit TO tollway_readonly;
REVOKE INSERT ON paper_receipt FROM tollway_panel, tollway_worker;
REVOKE EXECUTE ON FUNCTION enter_paper_receipt_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION enter_paper_receipt_v1 TO tollway_panel, tollway_worker;

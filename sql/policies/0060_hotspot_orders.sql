-- Offers are set by the operator's own processes; selling notes the batch that is sold from.
ALTER TABLE hotspot_offer ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON hotspot_offer TO tollway_worker, tollway_readonly USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON hotspot_offer TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY no_customer ON hotspot_offer AS RESTRICTIVE TO tollway_panel
    USING ((SELECT visible_customer_id_v1()) IS NULL)
    WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL);
GRANT SELECT, INSERT, DELETE, UPDATE (batch_id) ON hotspot_offer TO tollway_worker;
GRANT SELECT, UPDATE (batch_id) ON hotspot_offer TO tollway_panel;
GRANT SELECT ON hotspot_offer TO tollway_readonly;
-- A guest's browser says which customer's order it is, and shows its token.
ALTER TABLE hotspot_order ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON hotspot_order TO tollway_worker, tollway_readonly USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON hotspot_order TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY own_order ON hotspot_order FOR SELECT TO tollway_panel
    USING (customer_id = (SELECT visible_customer_id_v1()));
CREATE POLICY one_customer ON hotspot_order AS RESTRICTIVE TO tollway_panel
    USING ((SELECT visible_customer_id_v1()) IS NULL
           OR customer_id = (SELECT visible_customer_id_v1()))
    WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL
                OR customer_id = (SELECT visible_customer_id_v1()));
GRANT SELECT, INSERT ON hotspot_order TO tollway_panel, tollway_worker;
GRANT UPDATE (serial, code_sealed, problem, issued_at) ON hotspot_order TO tollway_panel, tollway_worker;
GRANT SELECT (customer_id, order_id, org_id, nas_id, batch_id, plan_name, price_micros, currency, attempt_id,
    serial, problem, created_at, issued_at) ON hotspot_order TO tollway_readonly;

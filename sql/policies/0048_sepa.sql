-- Mandates and files hold account numbers, sealed: not for readers. What was collected is never changed,
-- but for what the bank says of it.
ALTER TABLE sepa_mandate ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON sepa_mandate TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON sepa_mandate TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY one_customer ON sepa_mandate AS RESTRICTIVE TO tollway_panel
    USING ((SELECT visible_customer_id_v1()) IS NULL
           OR customer_id = (SELECT visible_customer_id_v1()))
    WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL
                OR customer_id = (SELECT visible_customer_id_v1()));
GRANT SELECT, INSERT ON sepa_mandate TO tollway_panel, tollway_worker;
GRANT UPDATE (used_on, sequence, reason) ON sepa_mandate TO tollway_panel, tollway_worker;
GRANT SELECT (customer_id, mandate_id, org_id, gateway_id, method_id, reference, holder, account, bic,
    signed_on, used_on, sequence, reason, created_at)
    ON sepa_mandate TO tollway_readonly;
ALTER TABLE sepa_file ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON sepa_file TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON sepa_file TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY no_customer ON sepa_file AS RESTRICTIVE TO tollway_panel
    USING ((SELECT visible_customer_id_v1()) IS NULL)
    WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL);
GRANT SELECT, INSERT ON sepa_file TO tollway_panel, tollway_worker;
GRANT UPDATE (collect_on, collections, total_micros, body_sealed) ON sepa_file TO tollway_panel, tollway_worker;
GRANT SELECT (file_id, org_id, gateway_id, collect_on, collections, total_micros, made_at, made_by)
    ON sepa_file TO tollway_readonly;
ALTER TABLE sepa_collection ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON sepa_collection TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON sepa_collection TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY one_customer ON sepa_collection AS RESTRICTIVE TO tollway_panel
    USING ((SELECT visible_customer_id_v1()) IS NULL
           OR customer_id = (SELECT visible_customer_id_v1()))
    WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL
                OR customer_id = (SELECT visible_customer_id_v1()));
GRANT SELECT, INSERT ON sepa_collection TO tollway_panel, tollway_worker;
GRANT UPDATE (returned_at, returned_for) ON sepa_collection TO tollway_panel, tollway_worker;
GRANT SELECT
    ON sepa_collection TO tollway_readonly;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;

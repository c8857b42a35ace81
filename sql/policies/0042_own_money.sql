-- A customer puts its own methods on file, and sees none of others.
ALTER TABLE method_setup ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON method_setup TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON method_setup TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY one_customer ON method_setup AS RESTRICTIVE TO tollway_panel
    USING ((SELECT visible_customer_id_v1()) IS NULL
           OR customer_id = (SELECT visible_customer_id_v1()))
    WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL
                OR customer_id = (SELECT visible_customer_id_v1()));
GRANT SELECT, INSERT ON method_setup TO tollway_panel, tollway_worker;
GRANT UPDATE (state, provider_ref, redirect_url, reason, method_id, sent_at, settled_at, due_at, lookups)
    ON method_setup TO tollway_panel, tollway_worker;
GRANT SELECT ON method_setup TO tollway_readonly;
GRANT UPDATE (expires_on, is_default) ON payment_method TO tollway_panel, tollway_worker;
REVOKE EXECUTE ON FUNCTION organisations_above_v1, organisation_of_voucher_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION organisations_above_v1, organisation_of_voucher_v1
    TO tollway_panel, tollway_worker;

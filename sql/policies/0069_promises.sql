REVOKE EXECUTE ON FUNCTION load_access_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION load_access_v1 TO tollway_radius, tollway_worker;

ALTER TABLE payment_promise ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON payment_promise TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON payment_promise TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY one_customer ON payment_promise AS RESTRICTIVE TO tollway_panel
    USING ((SELECT visible_customer_id_v1()) IS NULL
        OR customer_id = (SELECT visible_customer_id_v1()))
    WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL
        OR customer_id = (SELECT visible_customer_id_v1()));
GRANT SELECT, INSERT ON payment_promise TO tollway_panel, tollway_worker;
-- What was promised stays as it was; only what became of it is written later.
GRANT UPDATE (state, settled_at) ON payment_promise TO tollway_panel, tollway_worker;
GRANT SELECT ON payment_promise TO tollway_readonly;

GRANT SELECT (promised_micros, promised_until) ON wallet TO tollway_readonly;
GRANT SELECT (promise_count, promise_period_days, promise_days, promise_amount_micros)
    ON billing_profile TO tollway_readonly;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;

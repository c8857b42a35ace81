-- Who may sell makes, sells and redeems vouchers; the hooks read what a login by one needs (rule R3).
ALTER TABLE voucher_batch ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON voucher_batch TO tollway_worker, tollway_radius, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON voucher_batch TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
ALTER TABLE voucher ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON voucher TO tollway_worker, tollway_radius, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON voucher TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
ALTER TABLE voucher_counter ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON voucher_counter TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON voucher_counter TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));

GRANT SELECT, INSERT ON voucher_batch, voucher, voucher_counter TO tollway_panel, tollway_worker;
GRANT UPDATE (codes_sealed) ON voucher_batch TO tollway_panel, tollway_worker;
GRANT UPDATE (state, activated_at, ended_at, sold_customer_id, sold_entry_id, customer_id,
    subscription_id, entitlement_id, payment_id, login_name, replaced_by)
    ON voucher TO tollway_panel, tollway_worker;
GRANT SELECT (prefix, length, alphabet, pass_length, as_login) ON voucher_batch TO tollway_radius;
GRANT SELECT (batch_id, code_hmac, state, login_name) ON voucher TO tollway_radius;
GRANT SELECT (batch_id, org_id, name, kind, plan_version_id, profile_id, face_micros, currency,
    prefix, length, alphabet, pass_length, as_login, session_limit, expires_at, made_at)
    ON voucher_batch TO tollway_readonly;
GRANT SELECT (batch_id, serial, org_id, state, expires_at, activated_at, ended_at, sold_customer_id,
    sold_entry_id, customer_id, subscription_id, entitlement_id, payment_id, login_name, replaced_by)
    ON voucher TO tollway_readonly;
GRANT SELECT ON voucher_counter TO tollway_readonly;
-- Wrong codes that were typed are counted for everybody, whoever's they are.
ALTER TABLE voucher_guess ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON voucher_guess TO tollway_worker, tollway_panel, tollway_readonly
    USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON voucher_guess TO tollway_panel, tollway_worker;
GRANT SELECT ON voucher_guess TO tollway_readonly;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;

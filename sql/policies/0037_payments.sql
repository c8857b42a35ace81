-- Whoever may take money starts payments, and what providers say is written under the organisations of
-- their gateway. Events, moves and amounts are never changed; a gateway's secrets are not for readers.
ALTER TABLE gateway ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON gateway TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON gateway TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON gateway TO tollway_panel, tollway_worker;
GRANT UPDATE (settings, secrets_sealed, disabled_at) ON gateway
    TO tollway_panel, tollway_worker;
ALTER TABLE payment_method ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON payment_method TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON payment_method TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON payment_method TO tollway_panel, tollway_worker;
GRANT UPDATE (payer, label, removed_at) ON payment_method
    TO tollway_panel, tollway_worker;
GRANT SELECT ON payment_method TO tollway_readonly;
ALTER TABLE payment_attempt ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON payment_attempt TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON payment_attempt TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON payment_attempt TO tollway_panel, tollway_worker;
GRANT UPDATE (state, method_id, refunded_micros, charged_back_micros, provider_ref, redirect_url, decline, reason, sent_at,
    settled_at, due_at, lookups, payment_id) ON payment_attempt
    TO tollway_panel, tollway_worker;
GRANT SELECT ON payment_attempt TO tollway_readonly;
ALTER TABLE payment_reversal ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON payment_reversal TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON payment_reversal TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON payment_reversal TO tollway_panel, tollway_worker;
GRANT UPDATE (state, provider_ref, reason, sent_at, settled_at, due_at, lookups, entry_id,
    payout_entry_id) ON payment_reversal
    TO tollway_panel, tollway_worker;
GRANT SELECT ON payment_reversal TO tollway_readonly;
ALTER TABLE provider_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON provider_event TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON provider_event TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON provider_event TO tollway_panel, tollway_worker;
GRANT UPDATE (customer_id, attempt_id, outcome, detail) ON provider_event
    TO tollway_panel, tollway_worker;
ALTER TABLE suspense ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON suspense TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON suspense TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON suspense TO tollway_panel, tollway_worker;
GRANT UPDATE (moved_micros) ON suspense
    TO tollway_panel, tollway_worker;
GRANT SELECT ON suspense TO tollway_readonly;
ALTER TABLE suspense_move ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON suspense_move TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON suspense_move TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON suspense_move TO tollway_panel, tollway_worker;
GRANT SELECT ON suspense_move TO tollway_readonly;
ALTER TABLE auto_recharge ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON auto_recharge TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON auto_recharge TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON auto_recharge TO tollway_panel, tollway_worker;
GRANT UPDATE (method_id, threshold_micros, amount_micros, cap_day_micros, cap_month_micros, declines, retry_at,
    paused_at, paused_for, set_at) ON auto_recharge
    TO tollway_panel, tollway_worker;
GRANT SELECT ON auto_recharge TO tollway_readonly;
ALTER TABLE prepayment ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON prepayment TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON prepayment TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON prepayment TO tollway_panel, tollway_worker;
GRANT UPDATE (amount_micros, due_days, set_at) ON prepayment
    TO tollway_panel, tollway_worker;
GRANT SELECT ON prepayment TO tollway_readonly;
ALTER TABLE prepayment_invoice ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON prepayment_invoice TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON prepayment_invoice TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON prepayment_invoice TO tollway_panel, tollway_worker;
GRANT UPDATE (paid_at, cancelled_at, payment_id) ON prepayment_invoice
    TO tollway_panel, tollway_worker;
GRANT SELECT ON prepayment_invoice TO tollway_readonly;
GRANT SELECT (gateway_id, org_id, name, adapter, channel, settings, created_at, disabled_at) ON gateway
    TO tollway_readonly;
GRANT DELETE ON auto_recharge, prepayment TO tollway_panel, tollway_worker;
GRANT SELECT (gateway_id, event_id, org_id, kind, facts, received_at, customer_id, attempt_id, outcome,
    detail)
    ON provider_event TO tollway_readonly;
-- What a provider said is kept for as long as it may be disputed.
GRANT DELETE ON provider_event TO tollway_worker;
GRANT SELECT (look_below_micros) ON wallet TO tollway_readonly;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;
REVOKE EXECUTE ON FUNCTION gateway_of_hook_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gateway_of_hook_v1 TO tollway_panel, tollway_worker;

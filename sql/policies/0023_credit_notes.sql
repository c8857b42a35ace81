-- Whoever may change bills may credit them; a credit note never changes (rule I2).
ALTER TABLE credit_note ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON credit_note TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON credit_note TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON credit_note TO tollway_panel, tollway_worker;
GRANT SELECT ON credit_note TO tollway_readonly;
GRANT UPDATE (credited_micros, voided_at) ON invoice TO tollway_panel, tollway_worker;
GRANT SELECT (credited_micros, voided_at) ON invoice TO tollway_readonly;
GRANT SELECT (billed_from) ON subscription TO tollway_readonly;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;

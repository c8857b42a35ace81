-- Sealed keys: whoever hashes codes reads them, only the operator's own processes add one.
ALTER TABLE voucher_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON voucher_key TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY all_read ON voucher_key FOR SELECT TO tollway_panel, tollway_radius USING (true);
CREATE POLICY no_customer ON voucher_key AS RESTRICTIVE TO tollway_panel
    USING ((SELECT visible_customer_id_v1()) IS NULL)
    WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL);
GRANT SELECT, INSERT ON voucher_key TO tollway_worker;
GRANT SELECT ON voucher_key TO tollway_panel, tollway_radius;
GRANT SELECT (key_id, made_at, made_by) ON voucher_key TO tollway_readonly;

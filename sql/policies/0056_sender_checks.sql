-- Whether a reseller reads the mails of the address that it wants its customers' mails to come from. Its
-- owner asks and answers; what was asked for stays a day, to be counted.
ALTER TABLE sender_check ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON sender_check TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON sender_check TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY no_customer ON sender_check AS RESTRICTIVE TO tollway_panel
    USING ((SELECT visible_customer_id_v1()) IS NULL)
    WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL);
CREATE POLICY no_cashier ON sender_check AS RESTRICTIVE TO tollway_panel
    USING (NOT (SELECT is_cashier_v1()))
    WITH CHECK (NOT (SELECT is_cashier_v1()));
GRANT SELECT, INSERT, DELETE ON sender_check TO tollway_panel, tollway_worker;
GRANT UPDATE (tries, ended_at) ON sender_check TO tollway_panel, tollway_worker;
GRANT SELECT ON sender_check TO tollway_readonly;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;

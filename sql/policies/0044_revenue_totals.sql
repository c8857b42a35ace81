-- The worker adds up months that are over; the panel reads its own organisations' sums.
ALTER TABLE revenue_total ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON revenue_total TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON revenue_total TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY no_customer ON revenue_total AS RESTRICTIVE TO tollway_panel
    USING ((SELECT visible_customer_id_v1()) IS NULL)
    WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL);
GRANT SELECT, INSERT ON revenue_total TO tollway_worker;
GRANT SELECT ON revenue_total TO tollway_panel, tollway_readonly;

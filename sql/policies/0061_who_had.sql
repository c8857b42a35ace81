-- Port blocks of carrier-grade NAT are imported by the worker's role and read with the sessions they lead to
-- (rule U12); customers read none.
ALTER TABLE nat_block ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON nat_block TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON nat_block TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY no_customer ON nat_block AS RESTRICTIVE TO tollway_panel
    USING ((SELECT visible_customer_id_v1()) IS NULL)
    WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL);
GRANT SELECT, INSERT, UPDATE ON nat_block TO tollway_worker;
GRANT SELECT ON nat_block TO tollway_panel, tollway_readonly;

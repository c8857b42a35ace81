-- The operator sets hotspots up by its own processes; guests are told of one by its key only.
ALTER TABLE hotspot ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON hotspot TO tollway_worker, tollway_readonly USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON hotspot TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY no_customer ON hotspot AS RESTRICTIVE TO tollway_panel
    USING ((SELECT visible_customer_id_v1()) IS NULL)
    WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL);
GRANT SELECT, INSERT, UPDATE ON hotspot TO tollway_worker;
GRANT SELECT (nas_id, org_id, key, addresses, created_at, closed_at) ON hotspot TO tollway_panel, tollway_readonly;
REVOKE EXECUTE ON FUNCTION hotspot_by_key_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hotspot_by_key_v1 TO tollway_panel;
-- A login by a voucher looks at its batch for the length of the password beside the code.
GRANT SELECT (batch_id) ON voucher_batch TO tollway_radius;

-- Charges and discounts are agreed by whoever may change customers (rule I1).
ALTER TABLE charge ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON charge TO tollway_worker, tollway_readonly USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON charge TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON charge TO tollway_panel, tollway_worker;
GRANT UPDATE (ends_on) ON charge TO tollway_panel, tollway_worker;
GRANT SELECT ON charge TO tollway_readonly;
GRANT SELECT (charge_id, first_day, next_first_day) ON invoice_line TO tollway_readonly;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;

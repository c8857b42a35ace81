-- Whoever may change customers changes their plans (B17) and pauses them (S3); prices are the worker's
-- to carry out (B18). What was changed stays on record: nobody deletes.
ALTER TABLE plan_change ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON plan_change TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON plan_change TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON plan_change TO tollway_panel, tollway_worker;
GRANT UPDATE (state, from_version_id, effective_on, finished_at, problem) ON plan_change
    TO tollway_panel, tollway_worker;
GRANT SELECT ON plan_change TO tollway_readonly;

ALTER TABLE service_pause ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON service_pause TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON service_pause TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON service_pause TO tollway_panel, tollway_worker;
GRANT SELECT ON service_pause TO tollway_readonly;

GRANT UPDATE (plan_until) ON invoice TO tollway_panel, tollway_worker;
GRANT SELECT (plan_until) ON invoice TO tollway_readonly;
GRANT SELECT (entry_id) ON entitlement TO tollway_readonly;
GRANT SELECT (notice_days, pause_days) ON plan_version TO tollway_readonly;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;

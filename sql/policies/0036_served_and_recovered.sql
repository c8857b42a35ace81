-- Whoever may move customers writes down until when a bill's days were served (B6); whoever may take
-- payments gets what was written off. What was recovered never changes (I5).
GRANT UPDATE (served_until) ON invoice TO tollway_panel, tollway_worker;
GRANT SELECT (served_until) ON invoice TO tollway_readonly;
ALTER TABLE recovery ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON recovery TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON recovery TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON recovery TO tollway_panel, tollway_worker;
GRANT SELECT ON recovery TO tollway_readonly;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;

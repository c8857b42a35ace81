-- What happens in the panel is told, too, so it queues; the worker sends and notes what came of it.
-- Nobody deletes: the outbox is the delivery log.
ALTER TABLE message ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON message TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON message TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT, UPDATE ON message TO tollway_worker;
GRANT SELECT, INSERT ON message TO tollway_panel;
-- To send again.
GRANT UPDATE (addresses, state, attempts, last_error, sent_at, mail_id, queued_at, next_attempt_at)
    ON message TO tollway_panel;
GRANT SELECT ON message TO tollway_readonly;
GRANT SELECT (alert_addresses) ON customer TO tollway_readonly;
GRANT SELECT (mail_from) ON organisation TO tollway_readonly;

ALTER TABLE message_template ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON message_template TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON message_template TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT, UPDATE, DELETE ON message_template TO tollway_worker, tollway_panel;
GRANT SELECT ON message_template TO tollway_readonly;

GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;

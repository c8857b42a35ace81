-- Queues messages to customers, a row for each channel, each event once (docs/adr/0017). `drafts` is a
-- JSON array. An event of a customer, told by its key, that was queued is not queued again, whatever its
-- channels are now. What stays in the panel needs no sending.
INSERT INTO message (customer_id, org_id, kind, language, channel, addresses, facts, idempotency_key,
    created_at, queued_at, state, next_attempt_at, sent_at)
SELECT c.customer_id, c.org_id, d.kind, c.locale, w.channel, w.addresses, d.facts, d.idempotency_key,
    %(now)s, %(now)s,
    CASE w.channel WHEN 'panel' THEN 'sent' ELSE 'queued' END,
    CASE WHEN w.channel <> 'panel' THEN %(now)s::timestamptz END,
    CASE WHEN w.channel = 'panel' THEN %(now)s::timestamptz END
FROM jsonb_to_recordset(%(drafts)s::jsonb) AS d(
    customer_id bigint, kind text, idempotency_key text, facts jsonb)
JOIN customer c ON c.customer_id = d.customer_id
CROSS JOIN LATERAL message_channels_v1(d.kind, c.email, c.alert_addresses, c.alert_numbers) w
WHERE c.closed_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM message m
    WHERE m.customer_id = d.customer_id AND m.idempotency_key = d.idempotency_key)
ON CONFLICT (customer_id, idempotency_key, channel) DO NOTHING

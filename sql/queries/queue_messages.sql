-- Queues messages to customers that have an address, each event once (docs/adr/0017). `drafts` is a
-- JSON array. The same event of a customer, told by its key, is not queued again.
INSERT INTO message (customer_id, org_id, kind, language, channel, addresses, facts, idempotency_key,
    created_at, queued_at, next_attempt_at)
SELECT c.customer_id, c.org_id, d.kind, c.locale, 'email', a.addresses, d.facts, d.idempotency_key,
    %(now)s, %(now)s, %(now)s
FROM jsonb_to_recordset(%(drafts)s::jsonb) AS d(
    customer_id bigint, kind text, idempotency_key text, facts jsonb)
JOIN customer c ON c.customer_id = d.customer_id
CROSS JOIN LATERAL (
    SELECT COALESCE(NULLIF(c.alert_addresses, '{}'), ARRAY[NULLIF(c.email, '')]) AS addresses) a
WHERE a.addresses[1] IS NOT NULL AND c.closed_at IS NULL
ON CONFLICT (customer_id, idempotency_key) DO NOTHING

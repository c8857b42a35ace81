-- Queues a message about each of these bills, as it stands in this transaction (what free credit has
-- paid is not open any more), as queue_messages.sql does (docs/adr/0017). Amounts in micros, days as ISO
-- text.
INSERT INTO message (customer_id, org_id, kind, language, channel, addresses, facts, idempotency_key,
    created_at, queued_at, state, next_attempt_at, sent_at)
SELECT c.customer_id, c.org_id, 'invoice_issued', c.locale, w.channel, w.addresses,
    jsonb_build_object(
        'number', i.number,
        -- Without the days, which are written as is usual in the message's language.
        'text', COALESCE(regexp_replace(l.text, ',? ' || i.cycle_from || ' to ' || i.cycle_until || '$',
                                        ''), l.text),
        'first_day', i.cycle_from, 'last_day', i.cycle_until - 1, 'currency', i.currency, 'total_micros', i.total_micros,
        'open_micros', i.total_micros - i.paid_micros - i.credited_micros, 'due_on', i.due_on),
    'invoice:' || i.invoice_id, %(now)s, %(now)s,
    CASE w.channel WHEN 'panel' THEN 'sent' ELSE 'queued' END,
    CASE WHEN w.channel <> 'panel' THEN %(now)s::timestamptz END,
    CASE WHEN w.channel = 'panel' THEN %(now)s::timestamptz END
FROM unnest(%(customer_ids)s::bigint[], %(invoice_ids)s::bigint[]) AS b(customer_id, invoice_id)
JOIN invoice i ON i.customer_id = b.customer_id AND i.invoice_id = b.invoice_id
JOIN invoice_line l ON l.customer_id = i.customer_id AND l.invoice_id = i.invoice_id AND l.line = 1
JOIN customer c ON c.customer_id = i.customer_id
CROSS JOIN LATERAL message_channels_v1(
    'invoice_issued', c.email, c.alert_addresses, c.alert_numbers) w
WHERE c.closed_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM message m
    WHERE m.customer_id = b.customer_id AND m.idempotency_key = 'invoice:' || i.invoice_id)
ON CONFLICT (customer_id, idempotency_key, channel) DO NOTHING

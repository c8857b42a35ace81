-- What was done about a bill, oldest first, with what has become of it: the reminder's message, and the
-- bill that holds the fee.
SELECT e.days, e.at, e.reminded, m.state AS message, e.fee_micros, e.currency, e.charge_id,
    COALESCE(own.number, held.number) AS fee_bill, c.waived_at IS NOT NULL AS waived
FROM dunning_event e
LEFT JOIN LATERAL (
    SELECT state FROM message
    WHERE e.reminded AND customer_id = e.customer_id AND channel <> 'panel'
      AND idempotency_key = concat('reminder:', e.invoice_id, ':', e.days)
    -- By mail before all others.
    ORDER BY channel LIMIT 1
) m ON true
LEFT JOIN charge c ON c.customer_id = e.customer_id AND c.charge_id = e.charge_id
LEFT JOIN invoice own ON own.customer_id = e.customer_id AND own.invoice_id = e.fee_invoice_id
LEFT JOIN LATERAL (
    SELECT i.number
    FROM invoice_line l
    JOIN invoice i ON i.customer_id = l.customer_id AND i.invoice_id = l.invoice_id
    WHERE l.customer_id = e.customer_id AND l.charge_id = e.charge_id AND i.voided_at IS NULL
    ORDER BY i.invoice_id DESC LIMIT 1
) held ON true
WHERE e.customer_id = %(customer_id)s AND e.invoice_id = %(invoice_id)s
ORDER BY e.at, e.days

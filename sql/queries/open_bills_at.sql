-- Bills of these customers of which something was left to pay at an instant, by payment date. Micros.
SELECT i.customer_id, i.number, i.issued_at, i.due_on, i.total_micros, o.open_micros
FROM invoice i
CROSS JOIN LATERAL (
    SELECT (i.total_micros
        - COALESCE((SELECT sum(a.amount_micros) FROM payment_allocation a
            WHERE a.customer_id = i.customer_id AND a.invoice_id = i.invoice_id AND a.at < %(at)s), 0)
        - COALESCE((SELECT sum(n.total_micros) FROM credit_note n
            WHERE n.customer_id = i.customer_id AND n.invoice_id = i.invoice_id
              AND n.issued_at < %(at)s), 0)
        - COALESCE((SELECT sum(w.amount_micros) FROM write_off w
            WHERE w.customer_id = i.customer_id AND w.invoice_id = i.invoice_id AND w.at < %(at)s), 0)
        + COALESCE((SELECT sum(r.amount_micros) FROM recovery r
            WHERE r.customer_id = i.customer_id AND r.invoice_id = i.invoice_id AND r.at < %(at)s), 0)
        )::bigint AS open_micros) o
WHERE i.customer_id = ANY (%(customer_ids)s) AND i.issued_at < %(at)s
  AND (i.paid_at IS NULL OR i.paid_at >= %(at)s) AND o.open_micros > 0
ORDER BY i.customer_id, i.due_on, i.invoice_id

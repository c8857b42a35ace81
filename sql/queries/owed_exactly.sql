-- Bills and prepayment invoices of these organisations of which just this amount is left to pay, longest due first.
SELECT i.customer_id, c.name, i.number, i.due_on
FROM invoice i
JOIN customer c ON c.customer_id = i.customer_id
WHERE i.org_id = ANY (%(org_ids)s) AND i.paid_at IS NULL AND i.currency = %(currency)s
  AND i.total_micros - i.paid_micros - i.credited_micros - i.written_off_micros = %(amount)s
UNION ALL
SELECT p.customer_id, c.name, p.number, p.due_on
FROM prepayment_invoice p
JOIN customer c ON c.customer_id = p.customer_id
WHERE p.org_id = ANY (%(org_ids)s) AND p.paid_at IS NULL AND p.cancelled_at IS NULL
  AND p.currency = %(currency)s AND p.amount_micros = %(amount)s
ORDER BY due_on, number, customer_id
LIMIT %(limit)s

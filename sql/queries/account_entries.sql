-- What happened on a customer's account from one instant to before another, the oldest first: each
-- journal entry with what it changed of wallets and receivables together. Money that only goes from a
-- wallet to a bill, or back, changes nothing and is left out. Micros, positive: in the customer's favour.
SELECT e.at, e.kind, e.memo, m.amount_micros, m.currency, COALESCE(i.number, b.number) AS bill,
    n.number AS credit_note, y.channel, y.reference
FROM journal_entry e
CROSS JOIN LATERAL (
    SELECT sum(p.amount_micros)::bigint AS amount_micros, p.currency FROM posting p
    WHERE p.customer_id = e.customer_id AND p.entry_id = e.entry_id
      AND p.account IN ('wallet', 'receivable')
    GROUP BY p.currency) m
LEFT JOIN invoice i ON i.customer_id = e.customer_id AND i.entry_id = e.entry_id
LEFT JOIN credit_note n ON n.customer_id = e.customer_id AND n.entry_id = e.entry_id
LEFT JOIN invoice b ON b.customer_id = n.customer_id AND b.invoice_id = n.invoice_id
LEFT JOIN payment y ON y.customer_id = e.customer_id AND y.entry_id = e.entry_id
WHERE e.customer_id = %(customer_id)s AND e.at >= %(since)s AND e.at < %(until)s
  AND m.amount_micros <> 0
ORDER BY e.at, e.entry_id

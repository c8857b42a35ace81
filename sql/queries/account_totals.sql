-- What the accounts of these customers come to, by currency: the balance before `since`, what was charged
-- and what was paid and credited from then to before `until` (as account_entries counts them). Micros.
SELECT m.customer_id, m.currency,
    COALESCE(sum(m.amount_micros) FILTER (WHERE m.at < %(since)s), 0)::bigint AS opening_micros,
    COALESCE(-sum(m.amount_micros) FILTER (WHERE m.at >= %(since)s AND m.amount_micros < 0), 0)::bigint
        AS charged_micros,
    COALESCE(sum(m.amount_micros) FILTER (WHERE m.at >= %(since)s AND m.amount_micros > 0), 0)::bigint
        AS credited_micros
FROM (
    SELECT e.customer_id, e.at, p.currency, sum(p.amount_micros) AS amount_micros
    FROM journal_entry e
    JOIN posting p ON p.customer_id = e.customer_id AND p.entry_id = e.entry_id
    WHERE e.customer_id = ANY (%(customer_ids)s) AND e.at < %(until)s
      AND p.account IN ('wallet', 'receivable')
    GROUP BY e.customer_id, e.entry_id, e.at, p.currency) m
GROUP BY m.customer_id, m.currency ORDER BY m.customer_id, m.currency

-- What the ledger has of revenue, and of what is deferred, by account, kind of entry and currency (rule
-- I6): before an instant, and from it to before another.
SELECT p.account, e.kind, p.currency,
    COALESCE(sum(p.amount_micros) FILTER (WHERE e.at < %(since)s), 0)::bigint AS before_micros,
    COALESCE(sum(p.amount_micros) FILTER (WHERE e.at >= %(since)s), 0)::bigint AS within_micros
FROM posting p
JOIN journal_entry e ON e.customer_id = p.customer_id AND e.entry_id = p.entry_id
WHERE e.at < %(until)s AND (p.account LIKE 'revenue:%%' OR p.account LIKE 'deferred:%%')
GROUP BY p.account, e.kind, p.currency

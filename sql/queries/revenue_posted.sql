-- What the ledger has of revenue, and of what is deferred, by account, kind of entry and currency (rule
-- I6): before an instant, and from it to before another. `base`: an instant at which it was added up
-- (revenue_total), of the entries up to `through`; what came later, whatever its own instant, is read
-- from the journal. No entry of that has a lower number than `first`.
SELECT account, kind, currency, sum(before_micros)::bigint AS before_micros,
    sum(within_micros)::bigint AS within_micros
FROM (
    SELECT account, kind, currency, amount_micros AS before_micros, 0::numeric AS within_micros
    FROM revenue_total WHERE until = %(base)s
    UNION ALL
    SELECT p.account, e.kind, p.currency,
        COALESCE(sum(p.amount_micros) FILTER (WHERE e.at < %(since)s), 0),
        COALESCE(sum(p.amount_micros) FILTER (WHERE e.at >= %(since)s), 0)
    FROM posting p
    JOIN journal_entry e ON e.customer_id = p.customer_id AND e.entry_id = p.entry_id
    WHERE (e.at >= %(base)s OR e.entry_id > %(through)s) AND e.at < %(until)s
      AND p.entry_id >= %(first)s AND (p.account LIKE 'revenue:%%' OR p.account LIKE 'deferred:%%')
    GROUP BY p.account, e.kind, p.currency
) x
GROUP BY account, kind, currency

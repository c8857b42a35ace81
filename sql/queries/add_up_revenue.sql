-- What the ledger has of revenue and of what is deferred before `until`, of entries up to
-- `new_through`, by organisation: what was added up at `base`, and what has come since (revenue_posted).
INSERT INTO revenue_total (org_id, until, account, kind, currency, amount_micros, through_entry_id)
SELECT org_id, %(until)s, account, kind, currency, sum(amount_micros), %(new_through)s
FROM (
    SELECT org_id, account, kind, currency, amount_micros FROM revenue_total WHERE until = %(base)s
    UNION ALL
    SELECT p.org_id, p.account, e.kind, p.currency, sum(p.amount_micros)
    FROM posting p
    JOIN journal_entry e ON e.customer_id = p.customer_id AND e.entry_id = p.entry_id
    WHERE (e.at >= %(base)s OR e.entry_id > %(through)s) AND e.at < %(until)s
      AND e.entry_id <= %(new_through)s
      AND p.entry_id >= %(first)s AND (p.account LIKE 'revenue:%%' OR p.account LIKE 'deferred:%%')
    GROUP BY p.org_id, p.account, e.kind, p.currency
) x
GROUP BY org_id, account, kind, currency
ON CONFLICT DO NOTHING

-- What the accounts of these customers come to, by currency: the balance before `since`, what was charged
-- and what was paid and credited from then to before `until` (as account_entries counts them). Micros.
-- The balance is reckoned back from what wallets and open bills hold now (`tollway ledger check` holds
-- them against their postings), so that only entries since then are read.
WITH held AS (
    SELECT customer_id, currency, sum(micros) AS micros
    FROM (
        SELECT customer_id, currency, posted_micros AS micros FROM wallet
        WHERE customer_id = ANY (%(customer_ids)s)
        UNION ALL
        SELECT customer_id, currency,
            paid_micros + credited_micros + written_off_micros - total_micros
        FROM invoice WHERE customer_id = ANY (%(customer_ids)s)) x
    GROUP BY customer_id, currency
), moved AS (
    SELECT e.customer_id, e.at, p.currency, sum(p.amount_micros) AS micros
    FROM journal_entry e
    JOIN posting p ON p.customer_id = e.customer_id AND p.entry_id = e.entry_id
    WHERE e.customer_id = ANY (%(customer_ids)s) AND e.at >= %(since)s
      AND p.account IN ('wallet', 'receivable')
    GROUP BY e.customer_id, e.entry_id, e.at, p.currency
), found AS (
    SELECT COALESCE(h.customer_id, m.customer_id) AS customer_id,
        COALESCE(h.currency, m.currency) AS currency,
        COALESCE(h.micros, 0) - COALESCE(sum(m.micros), 0) AS opening_micros,
        COALESCE(-sum(m.micros) FILTER (WHERE m.at < %(until)s AND m.micros < 0), 0) AS charged_micros,
        COALESCE(sum(m.micros) FILTER (WHERE m.at < %(until)s AND m.micros > 0), 0) AS credited_micros
    FROM held h
    FULL JOIN moved m ON m.customer_id = h.customer_id AND m.currency = h.currency
    GROUP BY 1, 2, h.micros
)
SELECT customer_id, currency, opening_micros::bigint, charged_micros::bigint, credited_micros::bigint
FROM found
WHERE opening_micros <> 0 OR charged_micros <> 0 OR credited_micros <> 0
ORDER BY customer_id, currency

-- By collector: the receipts entered and what was handed over from one instant up to another, and the
-- receipts of any day whose money the collector still has.
WITH receipt AS (
    SELECT b.collector, r.amount_micros, r.currency, r.settlement_id,
        r.entered_at >= %(start)s AND r.entered_at < %(end)s AS within
    FROM paper_receipt r JOIN receipt_book b ON b.book_id = r.book_id
), taken AS (
    SELECT collector, currency,
        count(*) FILTER (WHERE within) AS receipts,
        COALESCE(sum(amount_micros) FILTER (WHERE within), 0) AS taken_micros,
        count(*) FILTER (WHERE settlement_id IS NULL) AS open_receipts,
        COALESCE(sum(amount_micros) FILTER (WHERE settlement_id IS NULL), 0) AS open_micros
    FROM receipt GROUP BY collector, currency
), handed AS (
    SELECT collector, currency, sum(counted_micros) AS handed_micros,
        sum(counted_micros - expected_micros) AS difference_micros
    FROM collector_settlement WHERE at >= %(start)s AND at < %(end)s
    GROUP BY collector, currency
)
SELECT t.collector, t.currency, t.receipts, t.taken_micros::bigint, t.open_receipts,
    t.open_micros::bigint, COALESCE(h.handed_micros, 0)::bigint AS handed_micros,
    COALESCE(h.difference_micros, 0)::bigint AS difference_micros
FROM taken t LEFT JOIN handed h USING (collector, currency)
WHERE t.receipts > 0 OR t.open_receipts > 0 OR h.handed_micros IS NOT NULL
ORDER BY t.collector, t.currency

-- Usage from what the wallets have open into the journal of money: an entry each element of `entries`,
-- a JSON array, with its pieces (rules P2, M4). What is available stays as it is. The customers are
-- locked. Amounts in micros.
WITH entry AS MATERIALIZED (
    SELECT e.*, CASE WHEN e.gross_micros <> 0
        THEN nextval(pg_get_serial_sequence('journal_entry', 'entry_id')) END AS entry_id
    FROM jsonb_to_recordset(%(entries)s::jsonb) AS e(
        customer_id bigint, org_id bigint, wallet_id bigint, currency text, local_day date,
        gross_micros bigint, tax_micros bigint, unbilled_tax_micros bigint, pieces jsonb)
),
entries AS (
    INSERT INTO journal_entry (customer_id, entry_id, org_id, at, kind, memo)
    SELECT customer_id, entry_id, org_id, %(now)s, 'usage', 'usage of ' || local_day
    FROM entry WHERE entry_id IS NOT NULL
),
postings AS (
    INSERT INTO posting (customer_id, entry_id, line, org_id, account, wallet_id, amount_micros,
        currency)
    SELECT e.customer_id, e.entry_id, p.line, e.org_id, p.account, p.wallet_id, p.amount_micros,
        e.currency
    FROM entry e
    CROSS JOIN LATERAL (VALUES
        (1, 'wallet', e.wallet_id, -e.gross_micros),
        (2, 'revenue:usage', NULL, e.gross_micros - e.tax_micros - e.unbilled_tax_micros),
        (3, 'tax', NULL, e.tax_micros), (4, 'tax:unbilled', NULL, e.unbilled_tax_micros)
    ) AS p(line, account, wallet_id, amount_micros)
    WHERE e.entry_id IS NOT NULL AND p.amount_micros <> 0
),
pieces AS (
    INSERT INTO usage_charge (customer_id, org_id, subscription_id, wallet_id, local_day,
        tariff_window, seconds, octets, gross_micros, tax_micros, tax_rate_ppm, to_bill,
        entry_id)
    SELECT e.customer_id, e.org_id, p.subscription_id, e.wallet_id, e.local_day, p.tariff_window,
        p.seconds, p.octets, p.gross_micros, p.tax_micros, p.own_tax_rate_ppm, p.to_bill,
        e.entry_id
    FROM entry e
    CROSS JOIN LATERAL jsonb_to_recordset(e.pieces) AS p(
        subscription_id bigint, tariff_window text, seconds bigint, octets bigint,
        gross_micros bigint, tax_micros bigint, own_tax_rate_ppm int, to_bill boolean)
)
UPDATE wallet w SET posted_micros = w.posted_micros - e.gross_micros,
    unposted_micros = w.unposted_micros - e.gross_micros
FROM (SELECT customer_id, wallet_id, sum(gross_micros) AS gross_micros FROM entry
      GROUP BY customer_id, wallet_id) e
WHERE w.customer_id = e.customer_id AND w.wallet_id = e.wallet_id

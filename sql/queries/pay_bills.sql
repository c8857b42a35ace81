-- Wallets pay what is left of bills that were issued a moment ago, each whole: an entry each (rule M4), what
-- it allocates (I4), and the tax that waited for the payment (`tax_micros`, I6). `bills` is a JSON array;
-- the entries are in its order. The customers are locked. Amounts in micros.
WITH bill AS MATERIALIZED (
    SELECT b.*, nextval(pg_get_serial_sequence('journal_entry', 'entry_id')) AS entry_id
    FROM jsonb_to_recordset(%(bills)s::jsonb) AS b(
        ord int, customer_id bigint, org_id bigint, wallet_id bigint, invoice_id bigint, number text,
        amount_micros bigint, tax_micros bigint, currency text)
    ORDER BY b.ord
),
entries AS (
    INSERT INTO journal_entry (customer_id, entry_id, org_id, at, kind, memo)
    SELECT customer_id, entry_id, org_id, %(now)s, 'bill', 'paid ' || number FROM bill
),
postings AS (
    INSERT INTO posting (customer_id, entry_id, line, org_id, account, wallet_id, amount_micros,
        currency)
    SELECT b.customer_id, b.entry_id, p.line, b.org_id, p.account, p.wallet_id, p.amount_micros,
        b.currency
    FROM bill b
    CROSS JOIN LATERAL (VALUES
        (1, 'wallet', b.wallet_id, -b.amount_micros),
        (2, 'receivable', NULL, b.amount_micros),
        (3, 'tax', NULL, b.tax_micros),
        (4, 'tax:unpaid', NULL, -b.tax_micros)
    ) AS p(line, account, wallet_id, amount_micros)
    WHERE p.amount_micros <> 0
),
allocated AS (
    INSERT INTO payment_allocation (customer_id, invoice_id, entry_id, org_id, amount_micros, at)
    SELECT customer_id, invoice_id, entry_id, org_id, amount_micros, %(now)s FROM bill
),
paid AS (
    UPDATE invoice i SET paid_micros = i.paid_micros + b.amount_micros, paid_at = %(now)s
    FROM bill b WHERE i.customer_id = b.customer_id AND i.invoice_id = b.invoice_id
)
-- The floor of a spending cap moves along, as with every entry (store/ledger.py).
UPDATE wallet w SET posted_micros = w.posted_micros - f.micros,
    cap_floor_micros = w.cap_floor_micros - f.micros
FROM (SELECT customer_id, wallet_id, sum(amount_micros) AS micros FROM bill
      GROUP BY customer_id, wallet_id) f
WHERE w.customer_id = f.customer_id AND w.wallet_id = f.wallet_id

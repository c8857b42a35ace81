-- Bills that have their numbers already: the entry that makes each owed (rule M4), the bill and its
-- lines. A bill of nothing has no entry and is paid. Gives the bills in the order of `bills`, a JSON
-- array. Their letterheads are kept (keep_letterheads). The customers are locked. Amounts in micros.
WITH bill AS MATERIALIZED (
    SELECT b.*, b.net_micros + b.tax_micros + b.rounding_micros AS total_micros,
        nextval(pg_get_serial_sequence('invoice', 'invoice_id')) AS invoice_id,
        CASE WHEN b.net_micros + b.tax_micros + b.rounding_micros <> 0
            THEN nextval(pg_get_serial_sequence('journal_entry', 'entry_id')) END AS entry_id
    FROM jsonb_to_recordset(%(bills)s::jsonb) AS b(
        ord int, customer_id bigint, org_id bigint, subscription_id bigint, number text,
        due_on date, cycle_from date, cycle_until date, lines jsonb, net_micros bigint,
        tax_micros bigint, rounding_micros bigint, currency text)
    ORDER BY b.ord
),
entries AS (
    INSERT INTO journal_entry (customer_id, entry_id, org_id, at, kind, memo)
    SELECT customer_id, entry_id, org_id, %(now)s, 'issue', 'issued ' || number
    FROM bill WHERE entry_id IS NOT NULL
),
postings AS (
    INSERT INTO posting (customer_id, entry_id, line, org_id, account, amount_micros, currency)
    SELECT b.customer_id, b.entry_id, p.line, b.org_id, p.account, p.amount_micros, b.currency
    FROM bill b
    CROSS JOIN LATERAL (VALUES
        (1, 'receivable', -b.total_micros), (2, 'revenue:bill', b.net_micros),
        (3, 'tax', b.tax_micros), (4, 'rounding', b.rounding_micros)
    ) AS p(line, account, amount_micros)
    WHERE b.entry_id IS NOT NULL AND p.amount_micros <> 0
),
issued AS (
    INSERT INTO invoice (customer_id, invoice_id, org_id, number, subscription_id, issued_at, due_on,
        cycle_from, cycle_until, total_micros, tax_micros, rounding_micros, paid_micros, currency,
        paid_at, entry_id, seller_letterhead_id, buyer_letterhead_id)
    SELECT customer_id, invoice_id, org_id, number, subscription_id, %(now)s, due_on, cycle_from,
        cycle_until, total_micros, tax_micros, rounding_micros, 0, currency,
        CASE WHEN total_micros = 0 THEN %(now)s END, entry_id,
        (SELECT max(h.letterhead_id) FROM organisation_letterhead h WHERE h.org_id = bill.org_id),
        (SELECT max(h.letterhead_id) FROM customer_letterhead h
            WHERE h.customer_id = bill.customer_id)
    FROM bill
),
lines AS (
    INSERT INTO invoice_line (customer_id, invoice_id, line, org_id, text, amount_micros,
        tax_rate_ppm, charge_id, first_day, next_first_day)
    SELECT b.customer_id, b.invoice_id, l.place, b.org_id, l.text, l.net_micros, l.tax_rate_ppm,
        l.charge_id, l.first_day, l.next_first_day
    FROM bill b
    CROSS JOIN LATERAL ROWS FROM (jsonb_to_recordset(b.lines) AS (
        text text, net_micros bigint, tax_rate_ppm int, charge_id bigint, first_day date,
        next_first_day date)) WITH ORDINALITY
        AS l(text, net_micros, tax_rate_ppm, charge_id, first_day, next_first_day, place)
)
SELECT customer_id, org_id, invoice_id, number, total_micros, due_on FROM bill ORDER BY ord

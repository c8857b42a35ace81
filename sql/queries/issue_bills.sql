-- Bills that have their numbers already: the entry that makes each owed (rule M4), the bill and its
-- lines. A bill of nothing has no entry and is paid. What a line bills for days after today is deferred
-- until they have passed, an item for all lines of the same days; the rest is earned now (rule I6). Gives
-- the bills in the order of `bills`, a JSON array. The customers are locked. Amounts in micros.
WITH bill AS MATERIALIZED (
    SELECT b.*, b.net_micros + b.tax_micros + b.rounding_micros AS total_micros,
        nextval(pg_get_serial_sequence('invoice', 'invoice_id')) AS invoice_id,
        CASE WHEN b.net_micros + b.tax_micros + b.rounding_micros <> 0
            THEN nextval(pg_get_serial_sequence('journal_entry', 'entry_id')) END AS entry_id
    FROM jsonb_to_recordset(%(bills)s::jsonb) AS b(
        ord int, customer_id bigint, org_id bigint, subscription_id bigint, number text,
        due_on date, cycle_from date, cycle_until date, lines jsonb, net_micros bigint,
        tax_micros bigint, rounding_micros bigint, currency text, tax_point text)
    ORDER BY b.ord
),
today AS (
    SELECT (%(now)s::timestamptz AT TIME ZONE time_zone)::date AS day FROM operator
),
line AS MATERIALIZED (
    SELECT b.customer_id, b.invoice_id, b.org_id, b.entry_id, b.subscription_id, b.currency, l.*,
        COALESCE(l.first_day, b.cycle_from) AS serves_from,
        COALESCE(l.next_first_day, b.cycle_until) AS serves_until
    FROM bill b
    CROSS JOIN LATERAL ROWS FROM (jsonb_to_recordset(b.lines) AS (
        text text, net_micros bigint, tax_rate_ppm int, charge_id bigint, first_day date,
        next_first_day date)) WITH ORDINALITY
        AS l(text, net_micros, tax_rate_ppm, charge_id, first_day, next_first_day, place)
),
item AS (
    INSERT INTO deferred_item (customer_id, org_id, kind, subscription_id, invoice_id, currency,
        net_micros, sold_on, first_day, next_first_day, posted_through)
    SELECT l.customer_id, l.org_id, 'bill', l.subscription_id, l.invoice_id, l.currency,
        sum(l.net_micros), t.day, l.serves_from, l.serves_until, t.day - 1
    FROM line l CROSS JOIN today t
    WHERE l.entry_id IS NOT NULL AND l.serves_until > t.day + 1
    GROUP BY l.customer_id, l.org_id, l.subscription_id, l.invoice_id, l.currency, t.day,
        l.serves_from, l.serves_until
    HAVING sum(l.net_micros) <> 0
    RETURNING customer_id, invoice_id, net_micros
),
deferred AS (
    SELECT customer_id, invoice_id, sum(net_micros)::bigint AS net_micros
    FROM item GROUP BY customer_id, invoice_id
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
    LEFT JOIN deferred d ON d.customer_id = b.customer_id AND d.invoice_id = b.invoice_id
    CROSS JOIN LATERAL (VALUES
        (1, 'receivable', -b.total_micros),
        (2, 'revenue:bill', b.net_micros - COALESCE(d.net_micros, 0)),
        (3, 'deferred:bill', COALESCE(d.net_micros, 0)),
        (4, CASE b.tax_point WHEN 'payment' THEN 'tax:unpaid' ELSE 'tax' END, b.tax_micros),
        (5, 'rounding', b.rounding_micros)
    ) AS p(line, account, amount_micros)
    WHERE b.entry_id IS NOT NULL AND p.amount_micros <> 0
),
issued AS (
    INSERT INTO invoice (customer_id, invoice_id, org_id, number, subscription_id, issued_at, due_on,
        cycle_from, cycle_until, total_micros, tax_micros, rounding_micros, paid_micros, currency,
        paid_at, entry_id, tax_point)
    SELECT customer_id, invoice_id, org_id, number, subscription_id, %(now)s, due_on, cycle_from,
        cycle_until, total_micros, tax_micros, rounding_micros, 0, currency,
        CASE WHEN total_micros = 0 THEN %(now)s END, entry_id, tax_point
    FROM bill
),
lines AS (
    INSERT INTO invoice_line (customer_id, invoice_id, line, org_id, text, amount_micros,
        tax_rate_ppm, charge_id, first_day, next_first_day)
    SELECT customer_id, invoice_id, place, org_id, text, net_micros, tax_rate_ppm, charge_id,
        first_day, next_first_day
    FROM line
)
SELECT customer_id, org_id, invoice_id, number, total_micros, due_on FROM bill ORDER BY ord

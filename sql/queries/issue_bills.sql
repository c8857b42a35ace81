-- Bills that have their numbers already: the entry that makes each owed (rule M4), the bill and its
-- lines, and the usage that they hold. A bill of nothing has no entry and is paid. Postpaid usage
-- goes from the wallet's debt to what is owed; of prepaid usage, which the wallet has paid, the bill is
-- paid from the start (`usage_paid_micros`). What a line bills for days after today is deferred until
-- they have passed, an item for all lines of the same days; the rest is earned now (rule I6). Gives the
-- bills in the order of `bills`, a JSON array. Their letterheads are kept (keep_letterheads). The
-- customers are locked. Amounts in micros.
WITH bill AS MATERIALIZED (
    SELECT b.*, b.net_micros + b.tax_micros + b.rounding_micros AS total_micros,
        nextval(pg_get_serial_sequence('invoice', 'invoice_id')) AS invoice_id,
        CASE WHEN b.net_micros + b.tax_micros + b.rounding_micros <> 0 OR b.usage_micros <> 0
            THEN nextval(pg_get_serial_sequence('journal_entry', 'entry_id')) END AS entry_id
    FROM jsonb_to_recordset(%(bills)s::jsonb) AS b(
        ord int, customer_id bigint, org_id bigint, subscription_id bigint, number text,
        due_on date, cycle_from date, cycle_until date, lines jsonb, net_micros bigint,
        tax_micros bigint, rounding_micros bigint, currency text, wallet_id bigint,
        usage_micros bigint, usage_tax_micros bigint, usage_net_micros bigint,
        usage_owed boolean, usage_paid_micros bigint, tax_point text, tax_due_micros bigint)
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
        text text, net_micros bigint, tax_rate_ppm int, tax_micros bigint, charge_id bigint,
        first_day date, next_first_day date, usage_micros bigint, usage_charge_ids bigint[])) WITH ORDINALITY
        AS l(text, net_micros, tax_rate_ppm, tax_micros, charge_id, first_day, next_first_day,
             usage_micros,
             usage_charge_ids, place)
),
item AS (
    INSERT INTO deferred_item (customer_id, org_id, kind, subscription_id, invoice_id, currency,
        net_micros, sold_on, first_day, next_first_day, posted_through)
    SELECT l.customer_id, l.org_id, 'bill', l.subscription_id, l.invoice_id, l.currency,
        sum(l.net_micros), t.day, l.serves_from, l.serves_until, t.day - 1
    FROM line l CROSS JOIN today t
    WHERE l.entry_id IS NOT NULL AND l.usage_micros IS NULL AND l.serves_until > t.day + 1
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
    INSERT INTO posting (customer_id, entry_id, line, org_id, account, wallet_id, amount_micros,
        currency)
    SELECT b.customer_id, b.entry_id, p.line, b.org_id, p.account, p.wallet_id, p.amount_micros,
        b.currency
    FROM bill b
    -- Usage was earned when it was posted; what its line says in another amount is the difference.
    LEFT JOIN deferred d ON d.customer_id = b.customer_id AND d.invoice_id = b.invoice_id
    CROSS JOIN LATERAL (VALUES
        (1, 'receivable', NULL, b.usage_paid_micros - b.total_micros),
        (2, 'revenue:bill', NULL, b.net_micros - b.usage_net_micros - COALESCE(d.net_micros, 0)),
        (3, 'tax', NULL, b.tax_due_micros),
        (4, 'rounding', NULL, b.rounding_micros
            + CASE WHEN b.usage_owed THEN 0 ELSE b.usage_micros - b.usage_paid_micros END),
        (5, 'wallet', b.wallet_id, CASE WHEN b.usage_owed THEN b.usage_micros ELSE 0 END),
        (6, 'revenue:usage', NULL, b.usage_net_micros - (b.usage_micros - b.usage_tax_micros)),
        (7, 'tax:unbilled', NULL, -b.usage_tax_micros),
        (8, 'deferred:bill', NULL, COALESCE(d.net_micros, 0)),
        (9, 'tax:unpaid', NULL, b.tax_micros - b.tax_due_micros)
    ) AS p(line, account, wallet_id, amount_micros)
    WHERE b.entry_id IS NOT NULL AND p.amount_micros <> 0
),
issued AS (
    INSERT INTO invoice (customer_id, invoice_id, org_id, number, subscription_id, issued_at, due_on,
        cycle_from, cycle_until, total_micros, tax_micros, rounding_micros, paid_micros, currency,
        paid_at, entry_id, tax_point, seller_letterhead_id, buyer_letterhead_id)
    SELECT customer_id, invoice_id, org_id, number, subscription_id, %(now)s, due_on, cycle_from,
        cycle_until, total_micros, tax_micros, rounding_micros, usage_paid_micros, currency,
        CASE WHEN total_micros = usage_paid_micros THEN %(now)s END, entry_id, tax_point,
        (SELECT max(h.letterhead_id) FROM organisation_letterhead h WHERE h.org_id = bill.org_id),
        (SELECT max(h.letterhead_id) FROM customer_letterhead h
            WHERE h.customer_id = bill.customer_id)
    FROM bill
),
paid AS (
    INSERT INTO payment_allocation (customer_id, invoice_id, entry_id, org_id, amount_micros, at)
    SELECT customer_id, invoice_id, entry_id, org_id, usage_paid_micros, %(now)s
    FROM bill WHERE usage_paid_micros <> 0
),
freed AS (
    -- The floor of a spending cap moves along, as with every entry (store/ledger.py).
    UPDATE wallet w SET posted_micros = w.posted_micros + f.micros,
        cap_floor_micros = w.cap_floor_micros + f.micros
    FROM (SELECT customer_id, wallet_id, sum(usage_micros) AS micros FROM bill
          WHERE usage_owed AND usage_micros <> 0 GROUP BY customer_id, wallet_id) f
    WHERE w.customer_id = f.customer_id AND w.wallet_id = f.wallet_id
),
lines AS (
    INSERT INTO invoice_line (customer_id, invoice_id, line, org_id, text, amount_micros,
        tax_rate_ppm, tax_micros, charge_id, first_day, next_first_day, usage_micros)
    SELECT customer_id, invoice_id, place, org_id, text, net_micros, tax_rate_ppm, tax_micros,
        charge_id, first_day, next_first_day, usage_micros
    FROM line
),
held AS (
    UPDATE usage_charge u SET invoice_id = l.invoice_id
    FROM line l CROSS JOIN LATERAL unnest(l.usage_charge_ids) AS c(usage_charge_id)
    WHERE l.usage_micros IS NOT NULL
      AND u.customer_id = l.customer_id AND u.usage_charge_id = c.usage_charge_id
)
SELECT customer_id, org_id, invoice_id, number, total_micros, due_on FROM bill ORDER BY ord

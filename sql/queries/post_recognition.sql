-- What has become earned, into the journal (rules I6, M4): one entry a customer and day, two lines an
-- item and account. `moves` is a JSON array; the customers are locked. Micros.
WITH move AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(moves)s::jsonb) AS m(
        customer_id bigint, item_id bigint, org_id bigint, kind text, currency text, on_day date,
        at timestamptz, earned_micros bigint, breakage_micros bigint)
),
entry AS MATERIALIZED (
    SELECT d.*, nextval(pg_get_serial_sequence('journal_entry', 'entry_id')) AS entry_id
    FROM (SELECT DISTINCT on_day, customer_id, org_id, currency, at FROM move ORDER BY 1, 2, 3, 4) d
),
entries AS (
    INSERT INTO journal_entry (customer_id, entry_id, org_id, at, kind, memo)
    SELECT customer_id, entry_id, org_id, at, 'recognition', 'earned until ' || on_day FROM entry
),
postings AS (
    INSERT INTO posting (customer_id, entry_id, line, org_id, account, amount_micros, currency)
    SELECT e.customer_id, e.entry_id,
        row_number() OVER (PARTITION BY e.entry_id ORDER BY m.item_id, p.line), e.org_id, p.account,
        p.amount_micros, e.currency
    FROM entry e
    JOIN move m ON m.customer_id = e.customer_id AND m.org_id = e.org_id
        AND m.currency = e.currency AND m.on_day = e.on_day AND m.at = e.at
    CROSS JOIN LATERAL (VALUES
        (1, 'deferred:' || m.kind, -m.earned_micros - m.breakage_micros),
        (2, 'revenue:' || m.kind, m.earned_micros), (3, 'revenue:breakage', m.breakage_micros)
    ) AS p(line, account, amount_micros)
    WHERE p.amount_micros <> 0
),
moves AS (
    INSERT INTO deferred_move (customer_id, org_id, item_id, entry_id, on_day, earned_micros,
        breakage_micros)
    SELECT m.customer_id, m.org_id, m.item_id, e.entry_id, m.on_day, m.earned_micros,
        m.breakage_micros
    FROM entry e
    JOIN move m ON m.customer_id = e.customer_id AND m.org_id = e.org_id
        AND m.currency = e.currency AND m.on_day = e.on_day AND m.at = e.at
)
UPDATE deferred_item i
SET earned_micros = i.earned_micros + t.earned_micros,
    breakage_micros = i.breakage_micros + t.breakage_micros, posted_through = t.on_day,
    finished_on = CASE WHEN i.net_micros = i.earned_micros + i.breakage_micros + i.returned_micros
        + t.earned_micros + t.breakage_micros THEN t.on_day END
FROM (SELECT customer_id, item_id, max(on_day) AS on_day, sum(earned_micros) AS earned_micros,
          sum(breakage_micros) AS breakage_micros
      FROM move GROUP BY customer_id, item_id) t
WHERE i.customer_id = t.customer_id AND i.item_id = t.item_id

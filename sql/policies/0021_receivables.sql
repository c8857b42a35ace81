-- Bills of before become what is owed of them: an entry each for the part that is not paid, as what
-- was paid went to revenue and tax when it was paid (rule M4). Then the new table and columns.

UPDATE invoice i SET tax_micros = i.total_micros - n.net
FROM (SELECT customer_id, invoice_id, sum(amount_micros) AS net FROM invoice_line
      GROUP BY customer_id, invoice_id) n
WHERE n.customer_id = i.customer_id AND n.invoice_id = i.invoice_id AND n.net <> i.total_micros;

UPDATE invoice SET entry_id = nextval(pg_get_serial_sequence('journal_entry', 'entry_id'))
WHERE paid_micros < total_micros;
INSERT INTO journal_entry (customer_id, entry_id, org_id, at, kind, memo)
SELECT customer_id, entry_id, org_id, issued_at, 'issue', 'issued ' || number
FROM invoice WHERE entry_id IS NOT NULL;
INSERT INTO posting (customer_id, entry_id, line, org_id, account, amount_micros, currency)
SELECT i.customer_id, i.entry_id, p.line, i.org_id, p.account, p.amount_micros, i.currency
FROM invoice i
CROSS JOIN LATERAL (SELECT i.total_micros - i.paid_micros AS owed) o
CROSS JOIN LATERAL (
    SELECT round(i.tax_micros::numeric * o.owed / NULLIF(i.total_micros, 0))::bigint AS tax) t
CROSS JOIN LATERAL (VALUES
    (1, 'receivable', -o.owed), (2, 'revenue:bill', o.owed - t.tax), (3, 'tax', t.tax)
) AS p(line, account, amount_micros)
WHERE i.entry_id IS NOT NULL AND p.amount_micros <> 0;

GRANT UPDATE (posted_micros) ON daily_usage TO tollway_worker;
GRANT SELECT (tax_micros, rounding_micros, entry_id) ON invoice TO tollway_readonly;
GRANT SELECT (posted_micros) ON daily_usage TO tollway_readonly;

ALTER TABLE ledger_check ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON ledger_check TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON ledger_check FOR SELECT TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON ledger_check TO tollway_worker;
GRANT SELECT ON ledger_check TO tollway_readonly;
GRANT SELECT ON ledger_check TO tollway_panel;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_worker;

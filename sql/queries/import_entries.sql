-- Balances taken over, as journal entries (rule M4).
INSERT INTO journal_entry (customer_id, entry_id, org_id, at, kind, memo)
SELECT customer_id, entry_id, %(org_id)s, %(now)s, 'opening', 'balance taken over by an import'
FROM import_row WHERE entry_id IS NOT NULL

-- Both sides of each balance taken over; they sum to zero (rule M4).
INSERT INTO posting (customer_id, entry_id, line, org_id, account, wallet_id, amount_micros,
                     currency)
SELECT customer_id, entry_id, side.line, %(org_id)s, side.account,
       CASE WHEN side.line = 1 THEN wallet_id END, side.sign * balance_micros, %(currency)s
FROM import_row
CROSS JOIN (VALUES (1, 'wallet', 1), (2, 'opening', -1)) AS side (line, account, sign)
WHERE entry_id IS NOT NULL

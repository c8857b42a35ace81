-- Entries that moved a wallet, newest first, each with the balance after it (rule M4): the newest
-- one's is what is posted.
SELECT e.entry_id, e.at, e.kind, e.memo, e.corrects_entry_id, moved.amount_micros,
       moved.balance_micros
FROM (
    SELECT entry_id, sum(amount_micros)::bigint AS amount_micros,
           (sum(sum(amount_micros)) OVER (ORDER BY entry_id))::bigint AS balance_micros
    FROM posting
    WHERE customer_id = %(customer_id)s AND account = 'wallet' AND wallet_id = %(wallet_id)s
    GROUP BY entry_id
) moved
JOIN journal_entry e ON e.customer_id = %(customer_id)s AND e.entry_id = moved.entry_id
WHERE %(before)s::bigint IS NULL OR e.entry_id < %(before)s
ORDER BY e.entry_id DESC
LIMIT %(limit)s

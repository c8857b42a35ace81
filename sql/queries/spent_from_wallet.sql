-- What was spent from a wallet in a period (rule P14), in micros: pay-as-you-go of its local days, whether
-- it is in the journal of money or not, and what was bought in it, less what was given back of that (B17). Bills
-- are not spending.
SELECT COALESCE((
        SELECT sum(u.charged_micros)
        FROM daily_usage u
        JOIN subscription s
            ON s.customer_id = u.customer_id AND s.subscription_id = u.subscription_id
        WHERE u.customer_id = %(customer_id)s AND s.wallet_id = %(wallet_id)s
          AND u.local_day >= %(first_day)s), 0)::bigint
    - COALESCE((
        SELECT sum(p.amount_micros)
        FROM posting p
        JOIN journal_entry e ON e.customer_id = p.customer_id AND e.entry_id = p.entry_id
        LEFT JOIN journal_entry sale
            ON sale.customer_id = e.customer_id AND sale.entry_id = e.corrects_entry_id
        WHERE p.customer_id = %(customer_id)s AND p.wallet_id = %(wallet_id)s
          AND (e.kind = 'sale' AND e.at >= %(since)s
               OR e.kind = 'refund' AND sale.at >= %(since)s)), 0)::bigint AS spent_micros

-- Its wallet (rule P1), with the balance taken over.
INSERT INTO wallet (customer_id, wallet_id, org_id, currency, posted_micros, credit_limit_micros,
                    created_at)
SELECT customer_id, wallet_id, %(org_id)s, %(currency)s, coalesce(balance_micros, 0),
       credit_limit_micros, %(now)s
FROM import_row

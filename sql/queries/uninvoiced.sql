-- Rated usage that is on no bill yet, posted or not, of these customers' wallets; of it what will be
-- owed when it is billed (rule P2). Only subscriptions that are billed by themselves have it. Micros.
SELECT x.customer_id, x.wallet_id, sum(x.micros)::bigint AS micros,
    COALESCE(sum(x.micros) FILTER (WHERE p.payment = 'postpaid'), 0)::bigint AS owed_micros
FROM (
    SELECT customer_id, subscription_id, wallet_id, gross_micros AS micros, true AS to_bill
    FROM usage_charge
    WHERE customer_id = ANY (%(customer_ids)s) AND to_bill AND invoice_id IS NULL
    UNION ALL
    SELECT u.customer_id, u.subscription_id, s.wallet_id, u.charged_micros - u.posted_micros, false
    FROM daily_usage u
    JOIN subscription s ON s.customer_id = u.customer_id AND s.subscription_id = u.subscription_id
    WHERE u.customer_id IN (SELECT w.customer_id FROM wallet w
                            WHERE w.customer_id = ANY (%(customer_ids)s) AND w.unposted_micros <> 0)
      AND u.charged_micros <> u.posted_micros
) x
JOIN subscription s ON s.customer_id = x.customer_id AND s.subscription_id = x.subscription_id
JOIN customer c ON c.customer_id = x.customer_id
JOIN billing_profile p ON p.profile_id = COALESCE(s.profile_id, c.profile_id)
WHERE x.to_bill OR p.kind = 'monthly' AND p.automatic_bill AND p.bills_from IS NOT NULL
GROUP BY x.customer_id, x.wallet_id

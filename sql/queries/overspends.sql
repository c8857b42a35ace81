-- What was used after allowances (rules Q4, P12) or wallets (P12) were used up, latest exhaustion first;
-- of a subscription also that of the wallet that pays for it.
SELECT o.overspend_id, s.username, o.entitlement_ids, o.exhausted_at, o.last_at, o.seconds, o.octets,
    o.wallet_id, o.micros, w.currency
FROM overspend o
JOIN subscription s ON s.customer_id = o.customer_id AND s.subscription_id = o.subscription_id
LEFT JOIN wallet w ON w.customer_id = o.customer_id AND w.wallet_id = o.wallet_id
WHERE (%(customer_id)s::bigint IS NULL OR o.customer_id = %(customer_id)s)
  AND (%(subscription_id)s::bigint IS NULL OR o.subscription_id = %(subscription_id)s
       OR (o.customer_id, o.wallet_id) IN (
           SELECT p.customer_id, p.wallet_id FROM subscription p
           WHERE p.subscription_id = %(subscription_id)s))
  AND (%(all)s OR o.seconds + o.octets + o.micros > 0)
ORDER BY o.exhausted_at DESC, o.overspend_id DESC
LIMIT %(limit)s

-- What was used after allowances were used up (rules Q4, P12), latest exhaustion first.
SELECT o.overspend_id, s.username, o.entitlement_ids, o.exhausted_at, o.last_at, o.seconds, o.octets
FROM overspend o
JOIN subscription s ON s.customer_id = o.customer_id AND s.subscription_id = o.subscription_id
WHERE (%(customer_id)s::bigint IS NULL OR o.customer_id = %(customer_id)s)
  AND (%(subscription_id)s::bigint IS NULL OR o.subscription_id = %(subscription_id)s)
  AND (%(all)s OR o.seconds + o.octets > 0)
ORDER BY o.exhausted_at DESC, o.overspend_id DESC
LIMIT %(limit)s

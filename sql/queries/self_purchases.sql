-- What customers of a reseller have bought themselves, newest first, with what it earned by that, less what
-- was taken back; NULL for who does not see it, and where it earns nothing.
SELECT p.purchase_id, p.org_id, p.customer_id, c.name AS customer_name, l.name AS plan_name,
    p.paid_micros, p.back_micros, h.earned::bigint AS earned_micros, p.currency, p.bought_at,
    p.bought_by, p.back_at
FROM self_purchase p
JOIN customer c ON c.customer_id = p.customer_id
JOIN plan l ON l.plan_id = p.plan_id
LEFT JOIN LATERAL (SELECT sum(s.wallet_micros) AS earned FROM self_purchase_share s
                   WHERE s.purchase_id = p.purchase_id AND s.depth = 0) h ON true
WHERE p.org_id = %(org_id)s
  AND (%(purchase_id)s::bigint IS NULL OR p.purchase_id = %(purchase_id)s)
ORDER BY p.purchase_id DESC LIMIT %(limit)s

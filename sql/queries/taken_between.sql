-- Money by organisation, actor, channel and currency, from an instant to before another. What was matched out of
-- suspense counts when it came, for whoever took it then, and not again. A refund counts when it left the
-- wallet, unless it failed; a chargeback nobody gave. Vouchers and resellers' transfers are no money that came in.
WITH moved AS (
    SELECT p.org_id, p.taken_by AS actor, p.channel, p.currency, p.amount_micros, false AS is_refund
    FROM payment p
    WHERE p.received_at >= %(since)s AND p.received_at < %(until)s
      AND p.channel NOT IN ('voucher', 'reseller')
      AND NOT EXISTS (
          SELECT FROM suspense_move m
          WHERE m.customer_id = p.customer_id AND m.payment_id = p.payment_id)
    UNION ALL
    SELECT s.org_id, s.taken_by, s.channel, s.currency, s.amount_micros, false
    FROM suspense s
    WHERE s.received_at >= %(since)s AND s.received_at < %(until)s
    UNION ALL
    SELECT r.org_id, r.requested_by, g.channel, r.currency, r.amount_micros, true
    FROM payment_reversal r
    JOIN payment_attempt a ON a.customer_id = r.customer_id AND a.attempt_id = r.attempt_id
    JOIN gateway g ON g.gateway_id = a.gateway_id
    WHERE r.created_at >= %(since)s AND r.created_at < %(until)s
      AND r.kind = 'refund' AND r.state <> 'failed'
    UNION ALL
    SELECT m.org_id, m.actor, s.channel, s.currency, m.amount_micros, true
    FROM suspense_move m
    JOIN suspense s ON s.suspense_id = m.suspense_id
    WHERE m.at >= %(since)s AND m.at < %(until)s AND m.customer_id IS NULL
)
SELECT moved.org_id, o.name AS organisation, moved.actor, moved.channel, moved.currency,
    count(*) FILTER (WHERE NOT is_refund) AS payments,
    COALESCE(sum(amount_micros) FILTER (WHERE NOT is_refund), 0)::bigint AS taken_micros,
    count(*) FILTER (WHERE is_refund) AS refunds,
    COALESCE(sum(amount_micros) FILTER (WHERE is_refund), 0)::bigint AS refunded_micros
FROM moved
JOIN organisation o ON o.org_id = moved.org_id
GROUP BY moved.org_id, o.name, moved.actor, moved.channel, moved.currency
ORDER BY moved.org_id, moved.actor, moved.channel, moved.currency

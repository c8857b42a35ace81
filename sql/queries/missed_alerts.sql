-- Of these customers those with a wallet below its alert or at its recharge, or an open package below its next level: what
-- the meter has looked at again soon (P6), and the daily check where it was missed (P13). The check goes by what was set,
-- too, not only by what the event has armed for the meter.
SELECT w.customer_id FROM wallet w
WHERE w.customer_id = ANY (%(customer_ids)s)
  AND w.posted_micros - w.unposted_micros - w.reserved_micros
      < GREATEST(w.look_below_micros, w.alert_below_micros)
UNION
SELECT w.customer_id FROM wallet w
JOIN auto_recharge a ON a.customer_id = w.customer_id AND a.wallet_id = w.wallet_id
WHERE w.customer_id = ANY (%(customer_ids)s)
  AND w.posted_micros - w.unposted_micros - w.reserved_micros <= a.threshold_micros
  AND a.paused_at IS NULL AND (a.retry_at IS NULL OR a.retry_at <= %(now)s)
  AND NOT EXISTS (
    SELECT 1 FROM payment_attempt p
    WHERE p.customer_id = w.customer_id AND p.wallet_id = w.wallet_id AND p.purpose = 'recharge'
      AND p.state IN ('created', 'pending', 'unknown'))
UNION
SELECT customer_id FROM entitlement
WHERE customer_id = ANY (%(customer_ids)s) AND ended_at IS NULL
  AND (seconds_left <= alert_seconds_left OR octets_left <= alert_octets_left)
ORDER BY customer_id

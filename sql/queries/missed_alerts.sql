-- Of these customers those with a wallet below its alert or at its recharge, or an open package below its next level: what
-- the meter has looked at again soon (P6), and the daily check where it was missed (P13).
SELECT customer_id FROM wallet
WHERE customer_id = ANY (%(customer_ids)s)
  AND posted_micros - unposted_micros - reserved_micros < look_below_micros
UNION
SELECT customer_id FROM entitlement
WHERE customer_id = ANY (%(customer_ids)s) AND ended_at IS NULL
  AND (seconds_left <= alert_seconds_left OR octets_left <= alert_octets_left)
ORDER BY customer_id

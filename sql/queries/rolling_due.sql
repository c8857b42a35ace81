-- Customers of whose packages something is to be carried on (rule B4): one that rolls over has ended by
-- `now`, and another began within `gap` of it and has not got what is left, or has got another amount
-- than is left now that late usage was charged; or it ended before `settled` and is over for good. In a
-- pause nothing is decided, as it may move all of them (S3).
SELECT DISTINCT a.customer_id
FROM entitlement a
JOIN subscription s ON s.customer_id = a.customer_id AND s.subscription_id = a.subscription_id
CROSS JOIN LATERAL (SELECT LEAST(a.ended_at, a.valid_until) AS at) e
WHERE a.rolls_over AND s.paused_at IS NULL AND e.at <= %(now)s
  AND (e.at < %(settled)s OR (a.ended_at IS NULL OR a.seconds_left = 0 OR a.octets_left = 0) AND EXISTS (
    SELECT 1 FROM entitlement b
    WHERE b.customer_id = a.customer_id AND b.subscription_id = a.subscription_id
      AND b.entitlement_id <> a.entitlement_id
      AND CASE WHEN b.carried_from_id = a.entitlement_id THEN
              b.carried_seconds <> CASE WHEN b.seconds_left IS NULL THEN 0
                                   ELSE COALESCE(a.seconds_left, 0) END
              OR b.carried_octets <> CASE WHEN b.octets_left IS NULL THEN 0
                                     ELSE COALESCE(a.octets_left, 0) END
          ELSE b.carried_from_id IS NULL AND b.valid_from <= %(now)s
              AND b.valid_from BETWEEN e.at AND e.at + %(gap)s
              AND NOT EXISTS (SELECT 1 FROM entitlement c
                              WHERE c.customer_id = a.customer_id
                                AND c.subscription_id = a.subscription_id
                                AND c.carried_from_id = a.entitlement_id) END))
ORDER BY a.customer_id

-- Customers with a session that runs as if nothing held it, although its subscription is held back:
-- it began, or turned out to run still, after the orders were written. One that got its order since,
-- or was moved by a CoA, is not meant; nor one whose NAS tells no Class and which was there before.
SELECT DISTINCT v.customer_id
FROM live_session v
JOIN subscription s ON s.customer_id = v.customer_id AND s.subscription_id = v.subscription_id
WHERE v.closed_at IS NULL AND s.service_rule <> 'S8'
  AND (starts_with(v.session_class, concat('tw1:', v.subscription_id, ':n'))
       OR v.session_class IS NULL AND v.started_at > s.service_checked_at)
  AND NOT EXISTS (
    SELECT 1 FROM coa_intent c
    WHERE c.customer_id = v.customer_id AND c.session_id = v.session_id
      AND c.goal IN ('disconnect', 'suspend')
      AND (c.created_at >= s.service_checked_at OR c.state IN ('pending', 'acked')
           OR c.moved_by_coa))
  -- At a restricted speed, as its plan says (Q4).
  AND NOT EXISTS (
    SELECT 1 FROM reservation r
    WHERE r.customer_id = v.customer_id AND r.session_id = v.session_id
      AND r.state = 'held' AND r.restricted_at IS NOT NULL)
LIMIT %(limit)s

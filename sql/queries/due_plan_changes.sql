-- Customers with a change of plan that is due: its day has come, or no package is left to wait for
-- (B17). Who is paused or closed waits: validity may stand still (S3).
SELECT DISTINCT p.customer_id
FROM plan_change p
JOIN subscription s ON s.customer_id = p.customer_id AND s.subscription_id = p.subscription_id
JOIN customer c ON c.customer_id = p.customer_id
WHERE p.state = 'pending' AND s.paused_at IS NULL AND s.closed_at IS NULL AND c.closed_at IS NULL
  AND (p.effective_on <= %(today)s
       OR p.effective_on IS NULL AND NOT EXISTS (
            SELECT 1 FROM entitlement e
            WHERE e.customer_id = p.customer_id AND e.subscription_id = p.subscription_id
              AND e.ended_at IS NULL AND (e.valid_until IS NULL OR e.valid_until > %(now)s)))
ORDER BY p.customer_id

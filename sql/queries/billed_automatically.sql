-- Customers with a subscription that the bill run is for (rule B7); a closed one when it may have usage
-- or a charge that no bill holds.
SELECT DISTINCT c.customer_id FROM customer c
JOIN subscription s ON s.customer_id = c.customer_id
JOIN billing_profile p ON p.profile_id = COALESCE(s.profile_id, c.profile_id)
WHERE p.kind = 'monthly' AND p.automatic_bill
  AND (c.closed_at IS NULL AND s.closed_at IS NULL OR EXISTS (
        SELECT 1 FROM usage_charge u WHERE u.customer_id = s.customer_id
          AND u.subscription_id = s.subscription_id AND u.to_bill AND u.invoice_id IS NULL)
    OR EXISTS (
        SELECT 1 FROM charge x WHERE x.customer_id = s.customer_id
          AND x.subscription_id = s.subscription_id AND x.kind = 'one_off' AND x.waived_at IS NULL
          AND NOT EXISTS (
            SELECT 1 FROM invoice_line l
            JOIN invoice i ON i.customer_id = l.customer_id AND i.invoice_id = l.invoice_id
            WHERE l.customer_id = x.customer_id AND l.charge_id = x.charge_id
              AND i.voided_at IS NULL))
    OR EXISTS (SELECT 1 FROM wallet w WHERE w.customer_id = s.customer_id AND w.unposted_micros <> 0))
ORDER BY c.customer_id

-- Customers with a subscription that the bill run is for (rule B7).
SELECT DISTINCT c.customer_id FROM customer c
JOIN subscription s ON s.customer_id = c.customer_id
JOIN billing_profile p ON p.profile_id = COALESCE(s.profile_id, c.profile_id)
WHERE p.kind = 'monthly' AND p.automatic_bill AND c.closed_at IS NULL AND s.closed_at IS NULL
ORDER BY c.customer_id

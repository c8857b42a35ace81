-- Customers that want a monthly statement, by their own wish or their profile's, and have not got that
-- of every local month before the one that begins on `month`.
SELECT c.customer_id, c.stated_until FROM customer c
JOIN billing_profile p ON p.profile_id = c.profile_id
WHERE COALESCE(c.monthly_statement, p.monthly_statement) AND c.closed_at IS NULL
  AND (c.stated_until IS NULL OR c.stated_until < %(month)s)
ORDER BY c.customer_id

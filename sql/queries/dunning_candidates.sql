-- Customers with a bill of which a step of its profile's schedule may be due on the local day `today`
-- (rule I5), and those parked by the job, ascending. The rule decides; here nobody is missed.
SELECT i.customer_id
FROM invoice i
JOIN customer c ON c.customer_id = i.customer_id
LEFT JOIN subscription s ON s.customer_id = i.customer_id AND s.subscription_id = i.subscription_id
JOIN dunning_step d ON d.profile_id = COALESCE(s.profile_id, c.profile_id)
WHERE i.paid_at IS NULL AND c.closed_at IS NULL
  AND i.due_on + d.days <= %(today)s AND i.due_on + d.days >= d.since
  AND (c.promise_until IS NULL OR c.promise_until < %(today)s)
  AND NOT EXISTS (SELECT 1 FROM dunning_event e
                  WHERE e.customer_id = i.customer_id AND e.invoice_id = i.invoice_id AND e.days = d.days)
  -- Nobody pays fees for being late with a fee.
  AND NOT EXISTS (SELECT 1 FROM dunning_event f
                  WHERE f.customer_id = i.customer_id AND f.fee_invoice_id = i.invoice_id)
UNION
SELECT customer_id FROM parked_customer WHERE job = %(job)s
ORDER BY 1

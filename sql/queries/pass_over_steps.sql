-- Steps of the schedule that a customer's open bills are under now, whose day has passed on the local
-- day `today`: they count as done, as another schedule held on their days (rules I5, B14). Bills of
-- subscriptions with a profile of their own stay under it.
INSERT INTO dunning_event (customer_id, invoice_id, days, org_id, at, reminded, fee_micros, currency)
SELECT i.customer_id, i.invoice_id, d.days, i.org_id, %(now)s, false, 0, i.currency
FROM invoice i
JOIN customer c ON c.customer_id = i.customer_id
LEFT JOIN subscription s ON s.customer_id = i.customer_id AND s.subscription_id = i.subscription_id
JOIN dunning_step d ON d.profile_id = COALESCE(s.profile_id, c.profile_id)
WHERE i.customer_id = %(customer_id)s AND i.paid_at IS NULL AND s.profile_id IS NULL
  AND i.due_on + d.days < %(today)s
ON CONFLICT DO NOTHING

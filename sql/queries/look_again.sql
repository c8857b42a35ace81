-- Have the sweep look at subscriptions at these moments, if not before.
UPDATE subscription s
SET service_next_change_at = LEAST(s.service_next_change_at, m.moment)
FROM unnest(%(customer_ids)s::bigint[], %(subscription_ids)s::bigint[], %(moments)s::timestamptz[])
    AS m(customer_id, subscription_id, moment)
WHERE s.customer_id = m.customer_id AND s.subscription_id = m.subscription_id

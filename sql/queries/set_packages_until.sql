-- Up to before which local days the packages of subscriptions have come (rule B6).
UPDATE subscription s SET packages_until = d.day
FROM unnest(%(customer_ids)s::bigint[], %(subscription_ids)s::bigint[], %(days)s::date[])
    AS d(customer_id, subscription_id, day)
WHERE s.customer_id = d.customer_id AND s.subscription_id = d.subscription_id

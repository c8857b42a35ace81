-- What is to come and what was carried out of changes to these customers' plans, with a day (rules B17,
-- B18); in the order of the requests.
SELECT change_id, customer_id, subscription_id, state, from_version_id, to_version_id, effective_on
FROM plan_change
WHERE customer_id = ANY (%(customer_ids)s) AND state <> 'revoked' AND effective_on IS NOT NULL
ORDER BY customer_id, change_id

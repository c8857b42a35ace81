-- A user name of each of these subscriptions, where there is one.
SELECT l.subscription_id, min(l.username) AS username
FROM login l WHERE l.subscription_id = ANY (%s::bigint[])
GROUP BY l.subscription_id

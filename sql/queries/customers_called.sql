-- Customers of these organisations all of whose name's words are among the given ones (in small letters), who have a
-- wallet in the currency. Words of two letters and less are passed over, as they are in the given ones.
SELECT c.customer_id, c.name
FROM customer c
CROSS JOIN LATERAL (
    SELECT array_agg(word) AS words
    FROM regexp_split_to_table(lower(c.name), '[\s.,;:/()''"&+-]+') AS word
    WHERE length(word) > 2 AND word !~ '^[0-9]+$'
) n
WHERE c.org_id = ANY (%(org_ids)s) AND c.closed_at IS NULL
  AND n.words <@ %(words)s::text[]
  AND NOT EXISTS (SELECT FROM reseller r WHERE r.account_customer_id = c.customer_id)
  AND EXISTS (SELECT FROM wallet w WHERE w.customer_id = c.customer_id AND w.currency = %(currency)s)
ORDER BY cardinality(n.words) DESC, c.customer_id
LIMIT %(limit)s

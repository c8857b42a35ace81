-- What was used of packages, by local day (rule U9).
SELECT customer_id, entitlement_id, local_day, sum(seconds)::bigint AS seconds,
    sum(input_octets + output_octets)::bigint AS octets
FROM daily_usage
WHERE customer_id = ANY (%(customer_ids)s) AND entitlement_id = ANY (%(entitlement_ids)s)
  AND kind = 'entitlement'
GROUP BY customer_id, entitlement_id, local_day ORDER BY local_day

-- Usage of a subscription (NULL: of all of its customer's) by local day and by what paid for it, newest day first (rules U9, Q3).
SELECT local_day AS day, kind, tariff_window, sum(seconds)::bigint AS seconds,
       sum(input_octets)::bigint AS input_octets, sum(output_octets)::bigint AS output_octets,
       sum(charged_micros)::bigint AS charged_micros
FROM daily_usage
WHERE customer_id = %(customer_id)s AND (%(subscription_id)s::bigint IS NULL OR subscription_id = %(subscription_id)s)
  AND local_day <= %(until)s
GROUP BY local_day, kind, tariff_window
ORDER BY local_day DESC, kind, tariff_window

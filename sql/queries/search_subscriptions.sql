-- Subscriptions whose user name, customer, station (MAC) or address matches, by user name.
-- Every alternative is one cheap pass; the page is cut by user name, so `after` continues it.
SELECT s.subscription_id, s.username
FROM subscription s
JOIN customer c USING (customer_id)
WHERE (%(after)s::text IS NULL OR s.username > %(after)s)
  AND (%(closed)s OR s.closed_at IS NULL)
  AND (%(text)s::text IS NULL
       OR strpos(s.username, %(username)s) > 0
       OR strpos(lower(c.name), lower(%(text)s)) > 0
       OR strpos(lower(c.email), lower(%(text)s)) > 0
       OR strpos(c.phone, %(text)s) > 0
       OR %(station)s::text = ANY (s.allowed_macs)
       OR starts_with(host(s.framed_ip), %(text)s)
       OR (%(looks_like_station_or_address)s AND s.subscription_id IN (
               SELECT l.subscription_id FROM live_session l
               WHERE l.closed_at IS NULL
                 AND (l.calling_station = %(station)s OR starts_with(host(l.framed_ip), %(text)s)))))
ORDER BY s.username
LIMIT %(limit)s

-- Customers from one on of whom something has become earned that is to be posted: a month has ended since
-- it was last posted, or it is over (rule I6). `today_at`: when the local day `today` began.
SELECT DISTINCT i.customer_id
FROM deferred_item i
JOIN customer c ON c.customer_id = i.customer_id
LEFT JOIN subscription s ON s.customer_id = i.customer_id AND s.subscription_id = i.subscription_id
LEFT JOIN entitlement e ON e.customer_id = i.customer_id AND e.entitlement_id = i.entitlement_id
WHERE i.finished_on IS NULL AND i.customer_id > %(after)s
  AND (i.posted_through < %(month_end)s OR i.next_first_day <= %(today)s
       OR e.ended_at < %(today_at)s OR e.valid_until <= %(today_at)s
       OR LEAST(s.closed_at, c.closed_at) < %(today_at)s)
ORDER BY i.customer_id LIMIT %(most)s

-- Customers with usage that the meter has charged and the journal of money has not, from one on.
SELECT DISTINCT customer_id FROM wallet
WHERE unposted_micros <> 0 AND customer_id > %(after)s ORDER BY customer_id LIMIT %(most)s

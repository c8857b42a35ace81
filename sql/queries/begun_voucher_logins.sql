-- Customers, above `after`, whose voucher is not booked as redeemed though its package has begun.
SELECT v.customer_id FROM voucher v
JOIN entitlement e ON e.customer_id = v.customer_id AND e.entitlement_id = v.entitlement_id
WHERE v.state = 'active' AND v.customer_id > %(after)s AND e.valid_from IS NOT NULL
ORDER BY v.customer_id LIMIT %(most)s

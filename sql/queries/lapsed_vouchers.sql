-- Vouchers, sold or in stock, whose expiry has passed, the oldest first, and the customers who wait to log
-- in by them; not those that did.
SELECT v.serial, v.org_id, v.customer_id FROM voucher v
LEFT JOIN entitlement e ON e.customer_id = v.customer_id AND e.entitlement_id = v.entitlement_id
WHERE v.state IN ('created', 'active') AND v.expires_at <= %(now)s AND e.valid_from IS NULL
ORDER BY v.org_id, v.serial LIMIT %(most)s

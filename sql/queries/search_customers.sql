-- Customers whose number, name, contact, tax number, user name or bill matches, newest first. The
-- page is cut before anything is added up, so its cost does not grow with the number of customers.
SELECT c.customer_id, c.name, c.email, c.phone, p.name AS profile_name, c.closed_at, w.currency,
       w.posted_micros - w.unposted_micros - w.reserved_micros AS available_micros,
       (SELECT count(*) FROM subscription s WHERE s.customer_id = c.customer_id) AS subscriptions,
       coalesce(b.open_micros, 0)::bigint AS open_micros, coalesce(b.overdue, false) AS overdue
FROM (
    SELECT customer_id, name, email, phone, profile_id, closed_at
    FROM customer c
    WHERE NOT EXISTS (SELECT 1 FROM reseller r WHERE r.account_customer_id = c.customer_id)
      AND (%(before)s::bigint IS NULL OR customer_id < %(before)s)
      AND (%(text)s::text IS NULL
           OR customer_id = %(number)s
           OR strpos(lower(name), lower(%(text)s)) > 0
           OR strpos(lower(email), lower(%(text)s)) > 0
           OR strpos(phone, %(text)s) > 0
           OR lower(tax_id) = lower(%(text)s)
           OR customer_id IN (SELECT l.customer_id FROM login l
                              WHERE strpos(l.username, %(username)s) > 0)
           OR customer_id IN (SELECT i.customer_id FROM invoice i
                              WHERE i.number = upper(%(text)s)))
    ORDER BY customer_id DESC
    LIMIT %(limit)s
) c
JOIN billing_profile p ON p.profile_id = c.profile_id
CROSS JOIN LATERAL (
    SELECT * FROM wallet WHERE customer_id = c.customer_id ORDER BY wallet_id LIMIT 1
) w
LEFT JOIN LATERAL (
    SELECT sum(total_micros - paid_micros - credited_micros - written_off_micros) AS open_micros,
           bool_or(due_on < %(today)s) AS overdue
    FROM invoice i
    WHERE i.customer_id = c.customer_id AND i.paid_at IS NULL
) b ON true
ORDER BY c.customer_id DESC

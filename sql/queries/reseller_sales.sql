-- Sales of a reseller, newest first; without costs for who does not see them.
SELECT s.sale_id, s.org_id, s.customer_id, c.name AS customer_name, p.name AS plan_name,
    s.retail_micros, h.cost_micros, s.currency, s.sold_at, s.sold_by, s.undone_at
FROM reseller_sale s
JOIN customer c ON c.customer_id = s.customer_id
JOIN plan p ON p.plan_id = s.plan_id
LEFT JOIN reseller_share h ON h.sale_id = s.sale_id AND h.depth = 0
WHERE s.org_id = %(org_id)s
ORDER BY s.sale_id DESC LIMIT %(limit)s

-- Charges and discounts of these customers' subscriptions, in the order in which they were agreed, with
-- the day after what bills hold of each (rule I1). What a voided bill held is not billed, nor what was
-- given back of a discount with its plan (B17), or of any when the service ended (B6). Ended ones are left out when all of their days are
-- billed, and waived ones.
SELECT c.charge_id, c.customer_id, c.subscription_id, c.kind, c.text, c.price_micros, c.discount_ppm,
    c.starts_on, c.ends_on, c.tax_rate_ppm, c.waived_at, b.billed_until
FROM charge c
LEFT JOIN LATERAL (
    SELECT max(CASE c.kind WHEN 'discount' THEN LEAST(l.next_first_day, i.plan_until)
        WHEN 'recurring' THEN LEAST(l.next_first_day, i.served_until)
        ELSE l.next_first_day END) AS billed_until
    FROM invoice_line l
    JOIN invoice i ON i.customer_id = l.customer_id AND i.invoice_id = l.invoice_id
    WHERE l.customer_id = c.customer_id AND l.charge_id = c.charge_id
      AND i.voided_at IS NULL
) b ON true
WHERE c.customer_id = ANY (%(customer_ids)s)
  AND (%(with_ended)s OR c.waived_at IS NULL
       AND (c.ends_on IS NULL OR b.billed_until IS NULL OR b.billed_until < c.ends_on))
ORDER BY c.customer_id, c.charge_id

-- What these organisations and customers are called on bills by now, as new versions where the newest
-- says something else or there is none (rule I2). The customers are locked.
WITH organisations AS (
    INSERT INTO organisation_letterhead (org_id, name, postal_address, tax_id, country, e_invoice)
    SELECT o.org_id, o.name, o.postal_address, o.tax_id, o.country, o.e_invoice
    FROM organisation o
    LEFT JOIN LATERAL (
        SELECT * FROM organisation_letterhead h WHERE h.org_id = o.org_id
        ORDER BY h.letterhead_id DESC LIMIT 1) l ON true
    WHERE o.org_id = ANY (%(org_ids)s)
      AND (o.name, o.postal_address, o.tax_id, o.country, o.e_invoice)
        IS DISTINCT FROM (l.name, l.postal_address, l.tax_id, l.country, l.e_invoice)
)
INSERT INTO customer_letterhead
    (customer_id, org_id, name, postal_address, tax_id, country, email, phone, locale)
SELECT c.customer_id, c.org_id, c.name, c.postal_address, c.tax_id, c.country, c.email, c.phone,
    c.locale
FROM customer c
LEFT JOIN LATERAL (
    SELECT * FROM customer_letterhead h WHERE h.customer_id = c.customer_id
    ORDER BY h.letterhead_id DESC LIMIT 1) l ON true
WHERE c.customer_id = ANY (%(customer_ids)s)
  AND (c.name, c.postal_address, c.tax_id, c.country, c.email, c.phone, c.locale)
    IS DISTINCT FROM (l.name, l.postal_address, l.tax_id, l.country, l.email, l.phone, l.locale)

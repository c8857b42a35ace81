-- Takes a bill's usage off it again (rule I2): the next bill holds it, or, without `to_bill`, none. What it
-- comes to and the tax in it, in micros. The customer is locked.
WITH released AS (
    UPDATE usage_charge SET invoice_id = NULL, to_bill = %(to_bill)s
    WHERE customer_id = %(customer_id)s AND invoice_id = %(invoice_id)s
    RETURNING gross_micros, tax_micros
)
SELECT COALESCE(sum(gross_micros), 0)::bigint AS gross_micros,
    COALESCE(sum(tax_micros), 0)::bigint AS tax_micros
FROM released

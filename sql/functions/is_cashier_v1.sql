-- Whether who asks is a reseller's cashier, which the panel says for each of its transactions: a cashier
-- sells in its shift, and neither prices, nor asks for money, nor says who works there (rules R1, R4).
CREATE FUNCTION is_cashier_v1() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT COALESCE(current_setting('tollway.cashier', true) = 'on', false) $$;

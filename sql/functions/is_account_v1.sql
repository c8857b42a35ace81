-- Whether a customer is a reseller's account, in any organisation: so it is asked with the owner's eyes,
-- and tells no more than yes or no (rule R1).
CREATE FUNCTION is_account_v1(p_customer_id bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$ SELECT EXISTS (SELECT 1 FROM reseller WHERE account_customer_id = p_customer_id) $$;

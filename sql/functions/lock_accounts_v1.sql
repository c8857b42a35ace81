-- Locks the accounts of a reseller and of all resellers above it, and one of its customers, by ascending
-- id, as everybody takes them (radius.md F15). The panel cannot lock an account in any other way. False
-- where who asks may not act for the reseller, or the customer is not one of the reseller's: nobody else's
-- is locked.
CREATE FUNCTION lock_accounts_v1(p_org_id bigint, p_customer_id bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_ids bigint[];
BEGIN
    SELECT array_agg(c.customer_id) INTO v_ids FROM reseller_chain_v1(p_org_id, 0) c;
    IF v_ids IS NULL THEN
        RETURN false;
    END IF;
    v_ids := v_ids || ARRAY(SELECT c.customer_id FROM customer c
                            WHERE c.customer_id = p_customer_id AND c.org_id = p_org_id);
    PERFORM c.customer_id FROM customer c WHERE c.customer_id = ANY (v_ids)
    ORDER BY c.customer_id FOR NO KEY UPDATE;
    RETURN p_customer_id IS NULL OR EXISTS (
        SELECT 1 FROM customer c WHERE c.customer_id = p_customer_id AND c.org_id = p_org_id);
END $$;

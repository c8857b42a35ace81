-- The plans that the customer of a transaction reads although they are not its organisation's: those that
-- its reseller was ever given a price for, and those it is on or had packages of. None for who is no
-- customer.
CREATE FUNCTION plans_of_customer_v1() RETURNS bigint[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT COALESCE(array_agg(p.plan_id), '{}') FROM (
        SELECT c.plan_id FROM reseller_cost c
        WHERE visible_customer_id_v1() IS NOT NULL AND c.org_id = ANY (visible_org_ids_v1())
        UNION
        SELECT v.plan_id FROM entitlement e JOIN plan_version v USING (plan_version_id)
        WHERE e.customer_id = visible_customer_id_v1()
        UNION
        SELECT v.plan_id FROM subscription s JOIN plan_version v USING (plan_version_id)
        WHERE s.customer_id = visible_customer_id_v1()
    ) p
$$;

-- The plans that the customers of a reseller may buy themselves: those on its list. `retail_micros`: what
-- they pay, its retail price, while it earns by such purchases (rule R1); NULL: the plan's own price. No
-- rows for who may not act for the reseller; a customer is told its own prices by it, and no costs.
CREATE FUNCTION self_service_list_v1(p_org_id bigint) RETURNS TABLE (plan_id bigint, retail_micros bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.plan_id, CASE WHEN earns_on_self_service_v1(p_org_id) THEN t.retail_micros END
    FROM (SELECT DISTINCT ON (c.plan_id) c.plan_id, c.cost_micros FROM reseller_cost c
          WHERE c.org_id = p_org_id ORDER BY c.plan_id, c.cost_id DESC) c
    LEFT JOIN (SELECT DISTINCT ON (r.plan_id) r.plan_id, r.retail_micros FROM reseller_retail r
               WHERE r.org_id = p_org_id ORDER BY r.plan_id, r.retail_id DESC) t
        ON t.plan_id = c.plan_id
    WHERE c.cost_micros IS NOT NULL AND may_act_for_v1(p_org_id)
$$;

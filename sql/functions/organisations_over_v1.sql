-- The organisations above those that the transaction sees, whose gateways these take money by.
CREATE FUNCTION organisations_over_v1() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE above AS (
        SELECT o.org_id, o.parent_org_id FROM organisation o WHERE o.org_id = ANY (visible_org_ids_v1())
        UNION
        SELECT o.org_id, o.parent_org_id FROM above a JOIN organisation o ON o.org_id = a.parent_org_id
    )
    SELECT a.org_id FROM above a
$$;

-- An organisation and every one above it: whose gateways its customers pay by, whose vouchers they redeem.
-- A customer does not see these rows; only their numbers are told.
CREATE FUNCTION organisations_above_v1(p_org_id bigint) RETURNS bigint[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE above AS (
        SELECT o.org_id, o.parent_org_id FROM organisation o WHERE o.org_id = p_org_id
        UNION ALL
        SELECT o.org_id, o.parent_org_id FROM above a JOIN organisation o ON o.org_id = a.parent_org_id
    )
    SELECT COALESCE(array_agg(a.org_id ORDER BY a.org_id), '{}') FROM above a
$$;

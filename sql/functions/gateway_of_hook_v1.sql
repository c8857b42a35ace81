-- Whose a gateway is, by the token in the address that its provider calls; nobody is logged in then. Also
-- the organisations it takes money for: its own, and those below. As the owner, who sees all of them;
-- nothing secret is told.
CREATE FUNCTION gateway_of_hook_v1(p_token text)
RETURNS TABLE (gateway_id bigint, org_id bigint, org_ids bigint[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE below AS (
        SELECT g.gateway_id AS id, g.org_id AS top, g.org_id AS org FROM gateway g
        WHERE g.hook_token = p_token
        UNION ALL
        SELECT b.id, b.top, o.org_id FROM organisation o JOIN below b ON o.parent_org_id = b.org
    )
    SELECT b.id, b.top, array_agg(b.org ORDER BY b.org) FROM below b GROUP BY b.id, b.top
$$;

-- The brand of the reseller whose key the address of the customers' login page carries; nobody is logged in
-- then. As the owner, who sees all of them; told is what its customers see of it, and nothing else. A key is
-- no secret, but nobody comes upon one by trying: 122 random bits (rule R1).
CREATE FUNCTION brand_of_key_v1(p_key text)
RETURNS TABLE (name text, accent text, logo text, footer text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.name, d.accent, d.logo, d.footer
    FROM organisation o LEFT JOIN invoice_design d ON d.org_id = o.org_id
    WHERE o.brand_key = p_key AND o.parent_org_id IS NOT NULL AND o.closed_at IS NULL
$$;

-- Whether an organisation is a reseller that earns by what customers buy themselves, for whoever asks: a
-- customer sees no rows of resellers, and how it buys depends on it (rule R1). Tells no more than yes or no.
CREATE FUNCTION earns_on_self_service_v1(p_org_id bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM reseller r
                   WHERE r.org_id = p_org_id AND r.earns_on_self_service AND r.closed_at IS NULL)
$$;

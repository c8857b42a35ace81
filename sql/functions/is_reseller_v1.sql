-- Whether an organisation is a reseller, for whoever asks: a customer sees no rows of resellers, and what it
-- buys depends on it all the same (rule R1). Tells no more than yes or no.
CREATE FUNCTION is_reseller_v1(p_org_id bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$ SELECT EXISTS (SELECT 1 FROM reseller WHERE org_id = p_org_id) $$;

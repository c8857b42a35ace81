-- Whether who asks is a reseller's own staff, and nobody above it: then what it sells is paid from the
-- reseller's wallet, and it takes no other money (rule R1).
CREATE FUNCTION sells_from_wallet_v1(p_org_id bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT 1 FROM reseller r JOIN organisation o USING (org_id)
        WHERE r.org_id = p_org_id AND NOT may_act_for_v1(o.parent_org_id))
$$;

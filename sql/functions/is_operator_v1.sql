-- Whether who asks sees the operator's own organisation, and not a reseller's only: what belongs to nobody
-- (logins of unknown names, dead letters) is the operator's to look at (rule R2).
CREATE FUNCTION is_operator_v1() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$ SELECT EXISTS (SELECT 1 FROM organisation
                  WHERE parent_org_id IS NULL AND org_id = ANY (visible_org_ids_v1())) $$;

-- Whether who asks may act for an organisation: the panel for those of its transaction, the operator's
-- own processes for all (rule R2).
CREATE FUNCTION may_act_for_v1(p_org_id bigint) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT session_user <> 'tollway_panel' OR COALESCE(p_org_id = ANY (visible_org_ids_v1()), false) $$;

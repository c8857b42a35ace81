-- Sets the percentage below which a reseller is told that little is left (rule P6), and its threshold;
-- only who may act for its parent, or, to note that it was told, for itself (NULL threshold).
CREATE FUNCTION watch_account_v1(
    p_org_id bigint, p_percent int, p_below_micros bigint
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_level record;
BEGIN
    SELECT * INTO v_level FROM reseller_chain_v1(p_org_id, 0) WHERE depth = 0;
    IF v_level IS NULL OR NOT (may_act_for_v1(v_level.parent_org_id) OR p_below_micros IS NULL) THEN
        RAISE EXCEPTION 'organisation % is not below who asks', p_org_id;
    END IF;
    UPDATE wallet SET alert_below_micros = p_below_micros,
        alert_percent = CASE WHEN may_act_for_v1(v_level.parent_org_id) THEN p_percent
                             ELSE alert_percent END
    WHERE customer_id = v_level.customer_id AND wallet_id = v_level.wallet_id;
END $$;

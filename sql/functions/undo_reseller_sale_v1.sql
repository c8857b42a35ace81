-- Gives back the share p_part / p_whole of what a sale cost to the accounts that it moved, and takes the
-- margins and the commission back in the same share (rule R1); half-up to p_step micros, the smallest
-- coin. The customer's side is posted: `p_entry_id` returned `p_back_micros` of the reseller's money, and
-- the package has ended. Once a sale; within the reseller's window, or by who is above it.
--
-- A margin that an account has spent already is owed: its wallet may go below zero by it.
CREATE FUNCTION undo_reseller_sale_v1(
    p_customer_id bigint, p_sale_id bigint, p_entry_id bigint, p_back_micros bigint, p_part bigint,
    p_whole bigint, p_step bigint, p_memo text, p_by text, p_now timestamptz
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_sale reseller_sale;
    v_minutes int;
    v_parent_org_id bigint;
    v_share reseller_share;
    v_below bigint;
    v_back bigint;
    v_wallet bigint;
    v_retail bigint;
    v_entry_id bigint;
BEGIN
    IF p_part NOT BETWEEN 0 AND p_whole OR p_whole <= 0 OR p_step NOT BETWEEN 1 AND 1000000 THEN
        RAISE EXCEPTION 'no share: % of %, in steps of %', p_part, p_whole, p_step;
    END IF;
    SELECT * INTO STRICT v_sale FROM reseller_sale s
    WHERE s.customer_id = p_customer_id AND s.sale_id = p_sale_id;
    SELECT r.undo_minutes, o.parent_org_id INTO STRICT v_minutes, v_parent_org_id
    FROM reseller r JOIN organisation o USING (org_id) WHERE r.org_id = v_sale.org_id;
    IF v_sale.undone_at IS NOT NULL OR NOT (
        may_act_for_v1(v_parent_org_id)
        OR may_act_for_v1(v_sale.org_id) AND p_now <= v_sale.sold_at + v_minutes * interval '1 minute'
    ) THEN
        RAISE EXCEPTION 'sale % is not to be undone', p_sale_id;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM entitlement e WHERE e.customer_id = p_customer_id
                   AND e.entitlement_id = v_sale.entitlement_id AND e.ended_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the package of sale % has not ended', p_sale_id;
    END IF;
    IF p_back_micros <> COALESCE(
        (SELECT sum(p.amount_micros) FROM posting p
         WHERE p.customer_id = p_customer_id AND p.entry_id = p_entry_id
           AND p.account = 'money:reseller'), 0) THEN
        RAISE EXCEPTION 'entry % does not return % to the reseller', p_entry_id, p_back_micros;
    END IF;
    UPDATE reseller_sale SET undone_at = p_now, undone_by = p_by, back_micros = p_back_micros,
        back_entry_id = p_entry_id
    WHERE customer_id = p_customer_id AND sale_id = p_sale_id;
    FOR v_share IN SELECT * FROM reseller_share s WHERE s.sale_id = p_sale_id ORDER BY s.depth LOOP
        v_back := round(v_share.cost_micros::numeric * p_part / p_whole / p_step) * p_step;
        v_back := LEAST(v_back, v_share.cost_micros);
        v_retail := CASE WHEN v_share.depth = 0 THEN p_back_micros ELSE 0 END;
        v_wallet := CASE WHEN v_share.depth = 0 THEN v_back ELSE v_back - v_below END;
        v_entry_id := post_account_entry_v1(
            v_share.customer_id, 'reseller_undo', p_memo,
            ARRAY['wallet', 'money:reseller', 'commission:reseller'],
            ARRAY[v_wallet, -v_retail, v_retail - v_wallet], v_share.currency, v_share.entry_id,
            p_now);
        UPDATE reseller_share SET undone_at = p_now, back_micros = v_back,
            back_wallet_micros = v_wallet, back_entry_id = v_entry_id
        WHERE customer_id = v_share.customer_id AND share_id = v_share.share_id;
        v_below := v_back;
    END LOOP;
END $$;

-- Gives back what vouchers of one sale cost, to all accounts that it moved (rules R1, R3). They were just
-- revoked, nobody can redeem them, and the counter's entry p_entry_id returns their face in the reseller's
-- money. Within the reseller's window, or by who is above it. From now on they are of no sale, so that they
-- are given back once, and the panel cannot make them active again.
--
-- A margin that an account has spent already is owed: its wallet may go below zero by it.
CREATE FUNCTION take_back_reseller_vouchers_v1(
    p_org_id bigint, p_sale_id bigint, p_serials bigint[], p_entry_id bigint, p_memo text, p_by text,
    p_now timestamptz
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_sale reseller_voucher_sale;
    v_minutes int;
    v_parent_org_id bigint;
    v_count bigint := cardinality(p_serials);
    v_taken bigint;
    v_back bigint;
    v_back_id bigint;
    v_share reseller_voucher_share;
    v_wallet bigint;
    v_retail bigint;
    v_entry_id bigint;
BEGIN
    SELECT * INTO STRICT v_sale FROM reseller_voucher_sale s
    WHERE s.org_id = p_org_id AND s.sale_id = p_sale_id AND s.count > 0;
    SELECT r.undo_minutes, o.parent_org_id INTO STRICT v_minutes, v_parent_org_id
    FROM reseller r JOIN organisation o USING (org_id) WHERE r.org_id = p_org_id;
    IF NOT (may_act_for_v1(v_parent_org_id)
            OR may_act_for_v1(p_org_id) AND p_now <= v_sale.at + v_minutes * interval '1 minute') THEN
        RAISE EXCEPTION 'vouchers of sale % are not to be given back', p_sale_id;
    END IF;
    UPDATE voucher v SET reseller_sale_id = NULL
    WHERE v.batch_id = v_sale.batch_id AND v.serial = ANY (p_serials) AND v.state = 'revoked'
      AND v.reseller_sale_id = p_sale_id;
    GET DIAGNOSTICS v_taken = ROW_COUNT;
    v_back := v_sale.retail_micros / v_sale.count * v_count;
    IF v_count = 0 OR v_taken <> v_count OR v_back <> COALESCE(
        (SELECT sum(p.amount_micros) FROM posting p
         WHERE p.customer_id = v_sale.customer_id AND p.entry_id = p_entry_id
           AND p.account = 'money:reseller' AND p.currency = v_sale.currency
           AND NOT EXISTS (SELECT 1 FROM reseller_voucher_sale s
                           WHERE s.customer_id = p.customer_id AND s.entry_id = p.entry_id)), 0) THEN
        RAISE EXCEPTION 'entry % does not give % vouchers of sale % back', p_entry_id, v_count,
            p_sale_id;
    END IF;
    INSERT INTO reseller_voucher_sale (customer_id, org_id, batch_id, plan_id, count, retail_micros,
                                       currency, entry_id, of_sale_id, at, by)
    VALUES (v_sale.customer_id, p_org_id, v_sale.batch_id, v_sale.plan_id, -v_count, -v_back,
            v_sale.currency, p_entry_id, p_sale_id, p_now, p_by)
    RETURNING sale_id INTO v_back_id;
    -- Each voucher cost the same whole micros, so these divisions leave nothing.
    FOR v_share IN SELECT * FROM reseller_voucher_share s WHERE s.sale_id = p_sale_id
                   ORDER BY s.depth LOOP
        v_wallet := v_share.wallet_micros / v_sale.count * v_count;
        v_retail := v_share.retail_micros / v_sale.count * v_count;
        v_entry_id := post_account_entry_v1(
            v_share.customer_id, 'reseller_vouchers', p_memo,
            ARRAY['wallet', 'money:reseller', 'commission:reseller'],
            ARRAY[-v_wallet, -v_retail, v_wallet + v_retail], v_share.currency, v_share.entry_id,
            p_now);
        INSERT INTO reseller_voucher_share (customer_id, org_id, sale_id, seller_org_id, plan_id, depth,
                                            at, cost_micros, wallet_micros, retail_micros, currency,
                                            entry_id)
        VALUES (v_share.customer_id, v_share.org_id, v_back_id, p_org_id, v_share.plan_id,
                v_share.depth, p_now, -(v_share.cost_micros / v_sale.count * v_count), -v_wallet,
                -v_retail, v_share.currency, v_entry_id);
    END LOOP;
    RETURN v_back_id;
END $$;

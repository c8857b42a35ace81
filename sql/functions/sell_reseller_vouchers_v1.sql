-- What it moves that a reseller sells vouchers of a batch (rules R1, R3): its account and those of the
-- resellers above it, as post_reseller_sale_v1 does for a package. The counter's side is posted: its entry
-- p_entry_id sells them for the reseller's money, NULL for vouchers of nothing. The vouchers are in stock;
-- only with the sale that they get here can the panel make them active.
--
-- p_costs are what each pays for all of them, from who sells upwards, in micros: of a plan its cost on the
-- price list for each, of money the face. They are reckoned again here, and refused where they differ, as
-- is what a wallet does not cover. Returns the sale.
CREATE FUNCTION sell_reseller_vouchers_v1(
    p_org_id bigint, p_batch_id bigint, p_serials bigint[], p_entry_id bigint, p_costs bigint[],
    p_memo text, p_by text, p_now timestamptz
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_batch voucher_batch;
    v_count bigint := cardinality(p_serials);
    v_counter_id bigint;
    v_plan_id bigint;
    v_face bigint;
    v_sale_id bigint;
    v_entry_id bigint;
    v_taken bigint;
    v_level record;
    v_below bigint;
    v_below_parent boolean;
    v_cost bigint;
    v_wallet bigint;
    v_retail bigint;
    v_levels int := 0;
BEGIN
    SELECT * INTO STRICT v_batch FROM voucher_batch b
    WHERE b.batch_id = p_batch_id AND b.org_id = p_org_id;
    SELECT c.customer_id INTO STRICT v_counter_id FROM voucher_counter c WHERE c.org_id = p_org_id;
    SELECT v.plan_id INTO v_plan_id FROM plan_version v
    WHERE v.plan_version_id = v_batch.plan_version_id;
    v_face := v_batch.face_micros * v_count;
    IF v_face <> COALESCE(
        (SELECT -sum(p.amount_micros) FROM posting p
         WHERE p.customer_id = v_counter_id AND p.entry_id = p_entry_id
           AND p.account = 'money:reseller' AND p.currency = v_batch.currency
           AND NOT EXISTS (SELECT 1 FROM reseller_voucher_sale s
                           WHERE s.customer_id = p.customer_id AND s.entry_id = p.entry_id)), 0) THEN
        RAISE EXCEPTION 'entry % does not sell these vouchers', p_entry_id;
    END IF;
    INSERT INTO reseller_voucher_sale (customer_id, org_id, batch_id, plan_id, count, retail_micros,
                                       currency, entry_id, at, by)
    VALUES (v_counter_id, p_org_id, p_batch_id, v_plan_id, v_count, v_face, v_batch.currency,
            p_entry_id, p_now, p_by)
    RETURNING sale_id INTO v_sale_id;
    UPDATE voucher v SET reseller_sale_id = v_sale_id
    WHERE v.batch_id = p_batch_id AND v.serial = ANY (p_serials) AND v.state = 'created'
      AND v.reseller_sale_id IS NULL;
    GET DIAGNOSTICS v_taken = ROW_COUNT;
    IF v_taken <> v_count THEN
        RAISE EXCEPTION '% of the % vouchers are in stock', v_taken, v_count;
    END IF;
    FOR v_level IN SELECT * FROM reseller_chain_v1(p_org_id, COALESCE(v_plan_id, 0)) ORDER BY depth LOOP
        v_levels := v_levels + 1;
        v_cost := v_count * CASE WHEN v_plan_id IS NULL THEN v_batch.face_micros
                                 ELSE v_level.cost_micros END;
        IF v_cost IS DISTINCT FROM p_costs[v_levels] OR v_level.closed_at IS NOT NULL THEN
            RAISE EXCEPTION 'organisation % does not sell batch % at %', v_level.org_id, p_batch_id,
                p_costs[v_levels];
        END IF;
        v_retail := CASE WHEN v_levels = 1 THEN v_face ELSE 0 END;
        v_wallet := CASE WHEN v_levels = 1 THEN -v_cost ELSE v_below - v_cost END;
        IF v_levels > 1 AND v_wallet < 0 AND NOT v_below_parent THEN
            RAISE EXCEPTION 'organisation % pays more for plan % than it is paid', v_level.org_id,
                v_plan_id;
        END IF;
        IF v_wallet < 0 AND v_level.spendable_micros + v_wallet < 0 THEN
            RAISE EXCEPTION 'the account of organisation % does not cover %', v_level.org_id,
                -v_wallet;
        END IF;
        v_entry_id := post_account_entry_v1(
            v_level.customer_id, 'reseller_vouchers', p_memo,
            ARRAY['wallet', 'money:reseller', 'commission:reseller'],
            ARRAY[v_wallet, v_retail, -v_wallet - v_retail], v_batch.currency, NULL, p_now);
        INSERT INTO reseller_voucher_share (customer_id, org_id, sale_id, seller_org_id, plan_id, depth,
                                            at, cost_micros, wallet_micros, retail_micros, currency,
                                            entry_id)
        VALUES (v_level.customer_id, v_level.org_id, v_sale_id, p_org_id, v_plan_id, v_levels - 1,
                p_now, v_cost, v_wallet, v_retail, v_batch.currency, v_entry_id);
        v_below := v_cost;
        v_below_parent := v_level.below_parent;
    END LOOP;
    IF v_levels = 0 OR v_levels <> cardinality(p_costs) THEN
        RAISE EXCEPTION 'organisation % is no reseller of who asks', p_org_id;
    END IF;
    RETURN v_sale_id;
END $$;

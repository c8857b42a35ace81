-- What a sale by a reseller moves in its account and in those of the resellers above it (rule R1). The
-- customer's side is posted: `p_payment_id` is the payment of `p_retail_micros` by the reseller, NULL for
-- a package of nothing.
--
-- `p_costs` are what each pays for this sale, from who sells upwards, in micros: its price list's cost
-- times p_part / p_whole (a month that is sold in part), half-up to p_step micros, the smallest coin. They
-- are reckoned again here, and refused where they differ, as is what a wallet does not cover. Who sells
-- pays its cost; each above gets the difference of its child's cost and its own. Returns the sale.
CREATE FUNCTION post_reseller_sale_v1(
    p_org_id bigint, p_plan_id bigint, p_customer_id bigint, p_entitlement_id bigint,
    p_payment_id bigint, p_retail_micros bigint, p_costs bigint[], p_part bigint, p_whole bigint,
    p_step bigint, p_currency text, p_memo text, p_by text, p_now timestamptz
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_sale_id bigint;
    v_entry_id bigint;
    v_level record;
    v_below bigint;
    v_below_parent boolean;
    v_cost bigint;
    v_wallet bigint;
    v_retail bigint;
    v_levels int := 0;
BEGIN
    IF p_part NOT BETWEEN 1 AND p_whole OR p_step NOT BETWEEN 1 AND 1000000 THEN
        RAISE EXCEPTION 'no share: % of %, in steps of %', p_part, p_whole, p_step;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM customer c WHERE c.customer_id = p_customer_id
                   AND c.org_id = p_org_id AND NOT is_account_v1(c.customer_id)) THEN
        RAISE EXCEPTION 'customer % is none of organisation %', p_customer_id, p_org_id;
    END IF;
    IF p_retail_micros <> COALESCE(
        (SELECT sum(p.amount_micros) FROM payment p
         WHERE p.customer_id = p_customer_id AND p.payment_id = p_payment_id
           AND p.channel = 'reseller' AND p.currency = p_currency
           AND NOT EXISTS (SELECT 1 FROM reseller_sale s WHERE s.customer_id = p.customer_id
                           AND s.payment_id = p.payment_id)), 0) THEN
        RAISE EXCEPTION 'payment % is not of this sale', p_payment_id;
    END IF;
    INSERT INTO reseller_sale (customer_id, org_id, subscription_id, entitlement_id, plan_id,
                               payment_id, retail_micros, currency, sold_at, sold_by)
    SELECT e.customer_id, p_org_id, e.subscription_id, e.entitlement_id, v.plan_id, p_payment_id,
        p_retail_micros, p_currency, p_now, p_by
    FROM entitlement e JOIN plan_version v ON v.plan_version_id = e.plan_version_id
    WHERE e.customer_id = p_customer_id AND e.entitlement_id = p_entitlement_id
      AND v.plan_id = p_plan_id
    RETURNING sale_id INTO STRICT v_sale_id;
    FOR v_level IN SELECT * FROM reseller_chain_v1(p_org_id, p_plan_id) ORDER BY depth LOOP
        v_levels := v_levels + 1;
        v_cost := round(v_level.cost_micros::numeric * p_part / p_whole / p_step) * p_step;
        IF v_cost IS DISTINCT FROM p_costs[v_levels] OR v_level.closed_at IS NOT NULL THEN
            RAISE EXCEPTION 'organisation % does not sell plan % at %', v_level.org_id, p_plan_id,
                p_costs[v_levels];
        END IF;
        v_retail := CASE WHEN v_levels = 1 THEN p_retail_micros ELSE 0 END;
        v_wallet := CASE WHEN v_levels = 1 THEN -v_cost ELSE v_below - v_cost END;
        IF v_levels > 1 AND v_wallet < 0 AND NOT v_below_parent THEN
            RAISE EXCEPTION 'organisation % pays more for plan % than it is paid', v_level.org_id,
                p_plan_id;
        END IF;
        IF v_wallet < 0 AND v_level.spendable_micros + v_wallet < 0 THEN
            RAISE EXCEPTION 'the account of organisation % does not cover %', v_level.org_id,
                -v_wallet;
        END IF;
        v_entry_id := post_account_entry_v1(
            v_level.customer_id, 'reseller_sale', p_memo,
            ARRAY['wallet', 'money:reseller', 'commission:reseller'],
            ARRAY[v_wallet, v_retail, -v_wallet - v_retail], p_currency, NULL, p_now);
        INSERT INTO reseller_share (customer_id, org_id, sale_id, seller_org_id, plan_id, depth, at,
                                    cost_micros, wallet_micros, retail_micros, currency, entry_id)
        VALUES (v_level.customer_id, v_level.org_id, v_sale_id, p_org_id, p_plan_id, v_levels - 1,
                p_now, v_cost, v_wallet, v_retail, p_currency, v_entry_id);
        v_below := v_cost;
        v_below_parent := v_level.below_parent;
    END LOOP;
    IF v_levels = 0 OR v_levels <> cardinality(p_costs) THEN
        RAISE EXCEPTION 'organisation % is no reseller of who asks', p_org_id;
    END IF;
    RETURN v_sale_id;
END $$;

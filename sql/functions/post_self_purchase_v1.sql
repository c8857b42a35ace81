-- What resellers earn by a package that a customer of theirs has bought itself, from its own wallet (rule
-- R1): one entry in the account of each that earns, in the transaction of the purchase. The customer's side
-- is posted; the customer and the accounts of the chain are locked.
--
-- `p_costs` are what each passes on to who is above it, from the customer's reseller upwards, in micros:
-- its cost on the price list, at least what the one above passes on and at most what was paid, so that
-- nobody pays for what a customer buys. They are reckoned again here, and refused where they differ. Each
-- earns what comes to it less what it passes on; one that does not earn leaves its part with the operator.
-- Returns the purchase; NULL, and nothing is kept, where nobody of the chain earns.
CREATE FUNCTION post_self_purchase_v1(
    p_customer_id bigint, p_entitlement_id bigint, p_paid_micros bigint, p_costs bigint[],
    p_currency text, p_memo text, p_by text, p_now timestamptz
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_package record;
    v_paid bigint;
    v_level record;
    v_levels int;
    v_passed bigint := 0;
    v_costs bigint[] := ARRAY[]::bigint[];
    v_comes bigint := p_paid_micros;
    v_earned bigint;
    v_purchase_id bigint;
    v_entry_id bigint;
BEGIN
    IF visible_customer_id_v1() IS NOT NULL AND visible_customer_id_v1() <> p_customer_id THEN
        RAISE EXCEPTION 'customer % is not who asks', p_customer_id;
    END IF;
    SELECT e.org_id, e.subscription_id, e.entry_id, v.plan_id INTO STRICT v_package
    FROM entitlement e JOIN plan_version v ON v.plan_version_id = e.plan_version_id
    JOIN customer c ON c.customer_id = e.customer_id AND c.org_id = e.org_id
    WHERE e.customer_id = p_customer_id AND e.entitlement_id = p_entitlement_id
      AND e.purchased_at = p_now AND NOT is_account_v1(e.customer_id);
    SELECT -sum(p.amount_micros)::bigint INTO v_paid FROM posting p
    WHERE p.customer_id = p_customer_id AND p.entry_id = v_package.entry_id AND p.account = 'wallet';
    IF v_paid IS DISTINCT FROM p_paid_micros OR EXISTS (
        SELECT 1 FROM reseller_sale s
        WHERE s.customer_id = p_customer_id AND s.entitlement_id = p_entitlement_id) THEN
        RAISE EXCEPTION 'package % was not bought for %', p_entitlement_id, p_paid_micros;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM reseller_chain_v1(v_package.org_id, v_package.plan_id) c
                   WHERE earns_on_self_service_v1(c.org_id)) THEN
        RETURN NULL;
    END IF;
    -- From above: what the uppermost passes on is the operator's.
    FOR v_level IN SELECT c.*, lead(c.cost_micros) OVER (ORDER BY c.depth) AS above_micros
                   FROM reseller_chain_v1(v_package.org_id, v_package.plan_id) c
                   ORDER BY c.depth DESC LOOP
        IF v_level.cost_micros IS NULL OR v_level.closed_at IS NOT NULL
           OR v_level.cost_micros < v_level.above_micros AND NOT v_level.below_parent THEN
            RAISE EXCEPTION 'organisation % does not sell plan %', v_level.org_id, v_package.plan_id;
        END IF;
        v_passed := LEAST(p_paid_micros, GREATEST(v_passed, v_level.cost_micros));
        v_costs := v_passed || v_costs;
    END LOOP;
    v_levels := cardinality(v_costs);
    IF v_levels = 0 OR v_costs IS DISTINCT FROM p_costs THEN
        RAISE EXCEPTION 'plan % costs %, not %', v_package.plan_id, v_costs, p_costs;
    END IF;
    INSERT INTO self_purchase (customer_id, org_id, subscription_id, entitlement_id, plan_id, entry_id,
                               paid_micros, currency, bought_at, bought_by)
    VALUES (p_customer_id, v_package.org_id, v_package.subscription_id, p_entitlement_id,
            v_package.plan_id, v_package.entry_id, p_paid_micros, p_currency, p_now, p_by)
    RETURNING purchase_id INTO v_purchase_id;
    FOR v_level IN SELECT * FROM reseller_chain_v1(v_package.org_id, v_package.plan_id)
                   ORDER BY depth LOOP
        v_passed := v_costs[v_level.depth + 1];
        IF earns_on_self_service_v1(v_level.org_id) THEN
            v_earned := v_comes - v_passed;
            v_entry_id := post_account_entry_v1(
                v_level.customer_id, 'self_service', p_memo, ARRAY['wallet', 'commission:reseller'],
                ARRAY[v_earned, -v_earned], p_currency, NULL, p_now);
            INSERT INTO self_purchase_share (customer_id, org_id, purchase_id, seller_org_id, plan_id,
                depth, at, paid_micros, cost_micros, wallet_micros, currency, entry_id)
            VALUES (v_level.customer_id, v_level.org_id, v_purchase_id, v_package.org_id,
                v_package.plan_id, v_level.depth, p_now, p_paid_micros, v_passed, v_earned, p_currency,
                v_entry_id);
        END IF;
        v_comes := v_passed;
    END LOOP;
    RETURN v_purchase_id;
END $$;

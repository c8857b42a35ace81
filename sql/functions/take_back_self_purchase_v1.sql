-- Takes back of what resellers earned by a customer's own purchase the share that the customer has got
-- back of what it paid (rule R1): what refunds that correct the purchase's entry have put into its wallet,
-- in all, against what was taken back before. So it may be called any number of times, and of a purchase
-- that is given back in parts each account has lost, by the last, what it had earned, to the micro; until
-- then its share, half-up to the micro. The customer and the accounts of the chain are locked. Returns what
-- the customer's reseller lost, in micros; 0 where the package is no such purchase, or nothing is new.
--
-- What an account has spent already is owed: its wallet may go below zero by it.
CREATE FUNCTION take_back_self_purchase_v1(
    p_customer_id bigint, p_entitlement_id bigint, p_memo text, p_now timestamptz
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_purchase self_purchase;
    v_back bigint;
    v_share record;
    v_paid bigint;
    v_cost bigint;
    v_wallet bigint;
    v_entry_id bigint;
    v_lost bigint := 0;
BEGIN
    SELECT * INTO v_purchase FROM self_purchase p
    WHERE p.customer_id = p_customer_id AND p.entitlement_id = p_entitlement_id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    IF NOT may_act_for_v1(v_purchase.org_id) OR visible_customer_id_v1() <> p_customer_id THEN
        RAISE EXCEPTION 'purchase % is not of who asks', v_purchase.purchase_id;
    END IF;
    SELECT COALESCE(sum(p.amount_micros), 0)::bigint INTO v_back
    FROM journal_entry e JOIN posting p ON p.customer_id = e.customer_id AND p.entry_id = e.entry_id
    WHERE e.customer_id = p_customer_id AND e.corrects_entry_id = v_purchase.entry_id
      AND p.account = 'wallet';
    IF v_back = v_purchase.back_micros THEN
        RETURN 0;
    END IF;
    IF v_back NOT BETWEEN v_purchase.back_micros AND v_purchase.paid_micros THEN
        RAISE EXCEPTION 'purchase % was given back by %, of %', v_purchase.purchase_id, v_back,
            v_purchase.paid_micros;
    END IF;
    UPDATE self_purchase SET back_micros = v_back, back_at = p_now
    WHERE customer_id = p_customer_id AND purchase_id = v_purchase.purchase_id;
    FOR v_share IN
        SELECT s.customer_id, s.org_id, s.depth, min(s.entry_id) AS entry_id,
            max(s.paid_micros) AS paid, sum(s.paid_micros)::bigint AS paid_left,
            max(s.cost_micros) AS cost, sum(s.cost_micros)::bigint AS cost_left,
            max(s.wallet_micros) AS wallet, sum(s.wallet_micros)::bigint AS wallet_left
        FROM self_purchase_share s WHERE s.purchase_id = v_purchase.purchase_id
        GROUP BY s.customer_id, s.org_id, s.depth ORDER BY s.depth
    LOOP
        v_paid := v_share.paid_left - (v_share.paid - v_back);
        v_cost := v_share.cost_left - v_share.cost
            + round(v_share.cost::numeric * v_back / v_purchase.paid_micros)::bigint;
        v_wallet := v_share.wallet_left - v_share.wallet
            + round(v_share.wallet::numeric * v_back / v_purchase.paid_micros)::bigint;
        v_entry_id := post_account_entry_v1(
            v_share.customer_id, 'self_service_back', p_memo, ARRAY['wallet', 'commission:reseller'],
            ARRAY[-v_wallet, v_wallet], v_purchase.currency, v_share.entry_id, p_now);
        INSERT INTO self_purchase_share (customer_id, org_id, purchase_id, seller_org_id, plan_id, depth,
            at, paid_micros, cost_micros, wallet_micros, currency, entry_id)
        VALUES (v_share.customer_id, v_share.org_id, v_purchase.purchase_id, v_purchase.org_id,
            v_purchase.plan_id, v_share.depth, p_now, -v_paid, -v_cost, -v_wallet, v_purchase.currency,
            v_entry_id);
        v_lost := CASE WHEN v_share.depth = 0 THEN v_wallet ELSE v_lost END;
    END LOOP;
    RETURN v_lost;
END $$;

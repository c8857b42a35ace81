-- Money into a reseller's account from above, or, where p_micros is negative, back (rule R2). Only who may
-- act for its parent calls it. It comes from the parent's account, which has to cover it; where the
-- parent is no reseller it is the operator's: then it comes by the channel of money, with a payment. What
-- is pulled back has to be there. `p_alert_below_micros` arms the account's alert (rule P6). Returns the
-- transfer.
CREATE FUNCTION post_reseller_transfer_v1(
    p_org_id bigint, p_micros bigint, p_channel text, p_reference text, p_currency text,
    p_alert_below_micros bigint, p_by text, p_now timestamptz
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_child record;
    v_parent record;
    v_entry_id bigint;
    v_from_entry_id bigint;
    v_payment_id bigint;
    v_transfer_id bigint;
    v_source text;
BEGIN
    SELECT * INTO v_child FROM reseller_chain_v1(p_org_id, 0) WHERE depth = 0;
    IF v_child IS NULL OR NOT may_act_for_v1(v_child.parent_org_id) THEN
        RAISE EXCEPTION 'organisation % is not below who asks', p_org_id;
    END IF;
    SELECT * INTO v_parent FROM reseller_chain_v1(p_org_id, 0) WHERE depth = 1;
    IF (v_parent.customer_id IS NULL) <> (p_channel IS NOT NULL)
       OR p_channel IN ('reseller', 'voucher') THEN
        RAISE EXCEPTION 'money of organisation % comes from its parent''s account, or by a channel',
            p_org_id;
    END IF;
    IF p_micros > 0 AND v_child.closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'organisation % is closed', p_org_id;
    END IF;
    IF p_micros < 0 AND v_child.spendable_micros + p_micros < 0
       OR p_micros > 0 AND v_parent.spendable_micros < p_micros THEN
        RAISE EXCEPTION 'an account does not cover %', abs(p_micros);
    END IF;
    v_source := COALESCE('money:' || p_channel, 'transfer:reseller');
    v_entry_id := post_account_entry_v1(
        v_child.customer_id, 'reseller_transfer', 'from above', ARRAY['wallet', v_source],
        ARRAY[p_micros, -p_micros], p_currency, NULL, p_now);
    IF v_parent.customer_id IS NOT NULL THEN
        v_from_entry_id := post_account_entry_v1(
            v_parent.customer_id, 'reseller_transfer', 'to organisation ' || p_org_id,
            ARRAY['wallet', v_source], ARRAY[-p_micros, p_micros], p_currency, NULL, p_now);
    ELSIF p_micros > 0 THEN
        INSERT INTO payment (customer_id, org_id, wallet_id, entry_id, channel, reference,
                             amount_micros, currency, received_at)
        VALUES (v_child.customer_id, p_org_id, v_child.wallet_id, v_entry_id, p_channel,
                p_reference, p_micros, p_currency, p_now)
        RETURNING payment_id INTO v_payment_id;
    END IF;
    IF p_micros > 0 THEN
        UPDATE wallet SET topped_up_micros = posted_micros - unposted_micros - reserved_micros,
            alert_below_micros = p_alert_below_micros
        WHERE customer_id = v_child.customer_id AND wallet_id = v_child.wallet_id;
    END IF;
    INSERT INTO reseller_transfer (customer_id, org_id, amount_micros, currency, entry_id,
                                   from_customer_id, from_entry_id, channel, payment_id, reference,
                                   at, by)
    VALUES (v_child.customer_id, p_org_id, p_micros, p_currency, v_entry_id, v_parent.customer_id,
            v_from_entry_id, p_channel, v_payment_id, p_reference, p_now, p_by)
    RETURNING transfer_id INTO v_transfer_id;
    RETURN v_transfer_id;
END $$;

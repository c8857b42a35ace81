-- Exhaustions of wallets by pay-as-you-go, and the micros that it took past the limit (rules P8, P12):
-- one row an exhaustion, which grows with every record until the wallet is lifted over its limit, or the
-- sessions on it are closed. One element a customer; p_micros: what its record has just cost, more than
-- 0. What a promise to pay lends is not past the limit (B19). Of most of them the wallet is above its limit, and nothing else is read. Customers are locked.
CREATE FUNCTION note_wallet_overspend_v1(
    p_customer_id bigint[], p_subscription_id bigint[], p_event_at timestamptz[], p_micros bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_short record;
BEGIN
    FOR v_short IN
        SELECT s.customer_id, s.subscription_id, s.org_id, s.wallet_id, x.event_at, x.micros,
            w.unposted_micros + w.reserved_micros - w.posted_micros - w.credit_limit_micros
                - lent.lent_micros AS past_micros
        FROM unnest(p_customer_id, p_subscription_id, p_event_at, p_micros)
            AS x(customer_id, subscription_id, event_at, micros)
        JOIN subscription s
            ON s.customer_id = x.customer_id AND s.subscription_id = x.subscription_id
        JOIN wallet w ON w.customer_id = s.customer_id AND w.wallet_id = s.wallet_id
        CROSS JOIN LATERAL (SELECT CASE WHEN w.promised_until > x.event_at THEN w.promised_micros
            ELSE 0 END) lent(lent_micros)
        WHERE w.posted_micros - w.unposted_micros - w.reserved_micros + w.credit_limit_micros
            + lent.lent_micros <= 0
    LOOP
        IF v_short.micros <= v_short.past_micros THEN  -- It was used up before this record.
            UPDATE overspend o SET micros = o.micros + v_short.micros,
                last_at = GREATEST(o.last_at, v_short.event_at)
            WHERE o.customer_id = v_short.customer_id AND o.lifted_at IS NULL AND o.overspend_id = (
                SELECT max(l.overspend_id) FROM overspend l
                WHERE l.customer_id = v_short.customer_id AND l.wallet_id = v_short.wallet_id);
            CONTINUE WHEN FOUND;
        END IF;
        INSERT INTO overspend (customer_id, org_id, subscription_id, wallet_id, entitlement_ids,
            exhausted_at, last_at, seconds, octets, micros)
        VALUES (v_short.customer_id, v_short.org_id, v_short.subscription_id, v_short.wallet_id, '{}',
            v_short.event_at, v_short.event_at, 0, 0, LEAST(v_short.micros, v_short.past_micros));
    END LOOP;
END $$;

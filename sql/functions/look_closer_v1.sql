-- After a round of the meter: what follows for those whose record was not like most. One element a
-- customer. p_is_suspect: may have nothing left, or another package from now on; p_reserves: sessions
-- of it hold reservations (Q4); p_is_limited: may use what was bought, and no more; p_has_ended: a
-- package that paid has come to its end; p_over_*: what nothing paid for; p_added_*: what the record
-- added; p_paid_micros: what the wallet has paid. Returns the number of orders. Customers are locked.
CREATE FUNCTION look_closer_v1(
    p_now timestamptz, p_customer_id bigint[], p_subscription_id bigint[], p_session_id bigint[],
    p_event_at timestamptz[], p_added_seconds bigint[], p_added_octets bigint[],
    p_is_suspect boolean[], p_reserves boolean[], p_is_limited boolean[], p_has_ended boolean[],
    p_over_seconds bigint[], p_over_octets bigint[], p_paid_micros bigint[]
) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    v_customer bigint[];
    v_subscription bigint[];
    v_micros bigint[];
    v_at timestamptz[];
    v_orders int := 0;
BEGIN
    FOR i IN 1..cardinality(p_customer_id) LOOP
        IF p_reserves[i] THEN
            v_orders := v_orders + post_grant_v1(p_now, p_customer_id[i], p_session_id[i]);
        ELSIF p_is_limited[i] AND NOT p_is_suspect[i] THEN
            v_orders := v_orders + tighten_v1(p_now, p_customer_id[i], p_session_id[i],
                                              p_added_seconds[i], p_added_octets[i]);
        END IF;
    END LOOP;

    SELECT array_agg(x.customer_id), array_agg(x.subscription_id), array_agg(x.event_at)
    INTO v_customer, v_subscription, v_at
    FROM unnest(p_customer_id, p_subscription_id, p_event_at, p_is_suspect)
        AS x(customer_id, subscription_id, event_at, is_suspect)
    WHERE x.is_suspect;
    IF v_customer IS NOT NULL THEN
        v_orders := v_orders + cut_unserved_v1(p_now, v_customer, v_subscription, v_at);
    END IF;

    SELECT array_agg(x.customer_id), array_agg(x.subscription_id), array_agg(x.event_at),
        array_agg(x.micros)
    INTO v_customer, v_subscription, v_at, v_micros
    FROM unnest(p_customer_id, p_subscription_id, p_event_at, p_paid_micros)
        AS x(customer_id, subscription_id, event_at, micros)
    WHERE x.micros > 0;
    IF v_customer IS NOT NULL THEN
        PERFORM note_wallet_overspend_v1(v_customer, v_subscription, v_at, v_micros);
    END IF;

    -- What renews by itself is bought again at once when nothing bought is left, also where the wallet
    -- pays for use meanwhile and nobody is cut (P10, B4).
    IF true = ANY (p_has_ended) THEN
        UPDATE subscription s SET renews_at = p_now
        FROM unnest(p_customer_id, p_subscription_id, p_has_ended)
            AS x(customer_id, subscription_id, has_ended)
        WHERE x.has_ended AND s.customer_id = x.customer_id
          AND s.subscription_id = x.subscription_id AND s.renews
          AND NOT EXISTS (
            SELECT 1 FROM entitlement e
            WHERE e.customer_id = s.customer_id AND e.subscription_id = s.subscription_id
              AND e.ended_at IS NULL AND (e.valid_until IS NULL OR e.valid_until > p_now));
    END IF;

    FOR i IN 1..cardinality(p_customer_id) LOOP
        IF p_is_limited[i] AND (p_has_ended[i] OR p_over_seconds[i] + p_over_octets[i] > 0) THEN
            PERFORM note_overspend_v1(p_now, p_customer_id[i], p_subscription_id[i], p_event_at[i],
                                      p_has_ended[i], p_over_seconds[i], p_over_octets[i]);
        END IF;
    END LOOP;
    RETURN v_orders;
END $$;

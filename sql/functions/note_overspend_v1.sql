-- Exhaustions of allowances, and what was used past them (rule Q4, P12): one row an exhaustion, which
-- grows with every record until the sessions are closed. p_ended: a package that paid for this record
-- has come to an end; p_seconds, p_octets: what of it nothing paid for. Usage belongs to the last
-- exhaustion before it. Customers are locked.
CREATE FUNCTION note_overspend_v1(
    p_now timestamptz, p_customer_id bigint, p_subscription_id bigint, p_event_at timestamptz,
    p_ended boolean, p_seconds bigint, p_octets bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_overspend_id bigint;
    v_ended boolean;
    v_used_up bigint[] := ARRAY(
        SELECT e.entitlement_id FROM entitlement e
        WHERE e.customer_id = p_customer_id AND e.subscription_id = p_subscription_id
          AND (e.seconds_left = 0 OR e.octets_left = 0)
          AND NOT EXISTS (
            SELECT 1 FROM overspend o
            WHERE o.customer_id = e.customer_id AND o.subscription_id = e.subscription_id
              AND e.entitlement_id = ANY (o.entitlement_ids))
        ORDER BY e.entitlement_id);
BEGIN
    v_ended := p_ended AND EXISTS (
        SELECT 1 FROM entitlement e
        WHERE e.customer_id = p_customer_id AND e.entitlement_id = ANY (v_used_up)
          AND e.ended_at = p_event_at);
    -- Nothing is exhausted while a package goes on, or by one that expired.
    IF p_seconds + p_octets = 0 AND (NOT v_ended OR EXISTS (
        SELECT 1 FROM entitlement e
        WHERE e.customer_id = p_customer_id AND e.subscription_id = p_subscription_id
          AND e.ended_at IS NULL AND (e.valid_until IS NULL OR e.valid_until > p_now)
          AND (e.valid_from IS NULL OR e.valid_from <= p_now OR e.follows))
    ) THEN
        RETURN;
    END IF;
    SELECT o.overspend_id INTO v_overspend_id FROM overspend o
    WHERE o.customer_id = p_customer_id AND o.subscription_id = p_subscription_id
      AND o.wallet_id IS NULL
    ORDER BY o.exhausted_at <= p_event_at DESC,
        CASE WHEN o.exhausted_at <= p_event_at THEN o.exhausted_at END DESC, o.exhausted_at
    LIMIT 1;
    IF v_overspend_id IS NULL OR v_ended THEN
        INSERT INTO overspend (customer_id, org_id, subscription_id, entitlement_ids, exhausted_at,
            last_at, seconds, octets)
        SELECT s.customer_id, s.org_id, s.subscription_id, v_used_up, p_event_at, p_event_at,
            p_seconds, p_octets
        FROM subscription s
        WHERE s.customer_id = p_customer_id AND s.subscription_id = p_subscription_id;
    ELSE
        UPDATE overspend o SET seconds = o.seconds + p_seconds, octets = o.octets + p_octets,
            last_at = GREATEST(o.last_at, p_event_at)
        WHERE o.customer_id = p_customer_id AND o.overspend_id = v_overspend_id;
    END IF;
END $$;

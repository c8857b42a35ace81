-- Brings the windows of waiting packages in line (rule B4): the first one starts when what was
-- active ended (p_ended_at, not after p_now) if nothing else is active now, each other one when the
-- one before it expires; none before it was bought. What has begun keeps its window. The customer
-- is locked. A package waiting for its first login starts here too: its owner is online.
CREATE FUNCTION plan_chain_v1(
    p_customer_id bigint, p_subscription_id bigint, p_ended_at timestamptz, p_now timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_cursor timestamptz;
    v_is_idle boolean;
    v_from   timestamptz;
    v_until  timestamptz;
    v_next   record;
BEGIN
    -- When what is active now ends by time alone; no active one: waiting ones start at p_ended_at.
    SELECT max(COALESCE(valid_until, 'infinity')) INTO v_cursor FROM entitlement
    WHERE customer_id = p_customer_id AND subscription_id = p_subscription_id
      AND ended_at IS NULL AND valid_from <= p_now AND COALESCE(valid_until, 'infinity') > p_now;
    v_is_idle := v_cursor IS NULL;
    v_cursor := COALESCE(v_cursor, p_ended_at);
    FOR v_next IN
        SELECT entitlement_id, validity_minutes, follows, purchased_at FROM entitlement
        WHERE customer_id = p_customer_id AND subscription_id = p_subscription_id
          AND ended_at IS NULL AND (valid_from IS NULL OR (follows AND valid_from > p_now))
        ORDER BY entitlement_id
    LOOP
        CONTINUE WHEN NOT v_next.follows AND NOT v_is_idle;
        v_is_idle := false;
        v_from := NULLIF(GREATEST(v_cursor, v_next.purchased_at), 'infinity');
        v_until := v_from + v_next.validity_minutes * interval '1 minute';
        UPDATE entitlement SET valid_from = v_from, valid_until = v_until
        WHERE customer_id = p_customer_id AND entitlement_id = v_next.entitlement_id
          AND (valid_from, valid_until) IS DISTINCT FROM (v_from, v_until);
        v_cursor := COALESCE(v_until, 'infinity');
    END LOOP;
END $$;

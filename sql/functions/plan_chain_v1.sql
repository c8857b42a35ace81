-- Brings the windows of waiting packages in line (rule B4): the first one starts at p_at when
-- nothing else is active, each other one when the one before it expires. The customer is locked.
-- A package waiting for its first login starts here too: its owner is online.
CREATE FUNCTION plan_chain_v1(p_customer_id bigint, p_subscription_id bigint, p_at timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_cursor timestamptz;
    v_from   timestamptz;
    v_until  timestamptz;
    v_next   record;
BEGIN
    -- When what is active now ends by time alone; no active one: waiting ones start at p_at.
    SELECT max(COALESCE(valid_until, 'infinity')) INTO v_cursor FROM entitlement
    WHERE customer_id = p_customer_id AND subscription_id = p_subscription_id
      AND ended_at IS NULL AND valid_from <= p_at AND COALESCE(valid_until, 'infinity') > p_at;
    v_cursor := COALESCE(v_cursor, p_at);
    FOR v_next IN
        SELECT entitlement_id, validity_minutes, follows FROM entitlement
        WHERE customer_id = p_customer_id AND subscription_id = p_subscription_id
          AND ended_at IS NULL AND (valid_from IS NULL OR (follows AND valid_from > p_at))
        ORDER BY entitlement_id
    LOOP
        CONTINUE WHEN NOT v_next.follows AND v_cursor <> p_at;
        v_from := NULLIF(v_cursor, 'infinity');
        v_until := v_from + v_next.validity_minutes * interval '1 minute';
        UPDATE entitlement SET valid_from = v_from, valid_until = v_until
        WHERE customer_id = p_customer_id AND entitlement_id = v_next.entitlement_id
          AND (valid_from, valid_until) IS DISTINCT FROM (v_from, v_until);
        v_cursor := COALESCE(v_until, 'infinity');
    END LOOP;
END $$;

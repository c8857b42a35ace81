-- The usage of a subscription that may have tariff windows (Q3), cut into pieces; NULL where none
-- are in force. What is free is what the version of the package in use says, the first in the order
-- of use as in charge_usage_v1, or without one the subscription's plan; prices are the plan's (M6).
-- Every field of the result is set: the meter asks for IS NULL and IS NOT NULL of the whole.
CREATE FUNCTION windowed_usage_v1(
    p_customer_id bigint, p_subscription_id bigint, p_plan_version_id bigint,
    p_from_at timestamptz, p_event_at timestamptz, p_now timestamptz, p_tolerance interval,
    p_zone text, p_seconds bigint, p_octets bigint
) RETURNS windowed_usage LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_bought_by constant timestamptz :=
        GREATEST(p_event_at, LEAST(p_event_at + p_tolerance, p_now));
    v_version bigint;
    v_free text;
    v_priced text;
    v_pieces usage_piece[];
BEGIN
    SELECT e.plan_version_id INTO v_version
    FROM entitlement e
    WHERE e.customer_id = p_customer_id AND e.subscription_id = p_subscription_id
      AND e.ended_at IS NULL
      AND (e.valid_from <= v_bought_by
           OR (e.follows OR e.valid_from IS NULL) AND e.purchased_at <= v_bought_by)
      AND (e.valid_until IS NULL OR e.valid_until > p_from_at)
    ORDER BY e.valid_from IS NULL OR e.valid_from > GREATEST(p_event_at, p_now), e.use_order,
        e.valid_until, e.entitlement_id
    LIMIT 1;
    v_version := COALESCE(v_version, p_plan_version_id);
    SELECT tariff_windows INTO v_free FROM plan_version WHERE plan_version_id = v_version;
    SELECT tariff_windows INTO v_priced FROM plan_version WHERE plan_version_id = p_plan_version_id;
    IF v_free IS NULL AND v_priced IS NULL THEN
        RETURN NULL;
    END IF;
    v_pieces := tariff_pieces_v1(p_from_at, p_event_at, p_zone, p_seconds, p_octets, v_free, v_priced);
    RETURN (v_version, COALESCE(v_priced, ''), v_pieces[cardinality(v_pieces)].paid_s_until,
            v_pieces[cardinality(v_pieces)].paid_o_until, v_pieces)::windowed_usage;
END $$;

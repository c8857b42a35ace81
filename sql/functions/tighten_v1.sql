-- A session that shares an allowance which would not last for another interval like the last one (rule
-- Q5) is ordered once to report more often, and to keep to what is left, until something new is told
-- it ('refresh'). p_added_*: what it used since its last report; that of all sessions is taken to be
-- the same. Who is alone has its limits since the login, but for RouterOS PPP, where each direction
-- may use all. Only where a CoA changes what is near its end. Returns the number of orders. Customers
-- are locked.
CREATE FUNCTION tighten_v1(
    p_now timestamptz, p_customer_id bigint, p_session_id bigint, p_added_seconds bigint,
    p_added_octets bigint
) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    -- Whose CoA changes the time (radius_plugin.vendors; a test holds them against each other); the
    -- octets those of CoovaChilli and of PPP on RouterOS, which our Class tells.
    c_vendors constant text[] := ARRAY['chilli', 'cisco', 'huawei', 'juniper', 'mikrotik'];
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM live_session v
        JOIN nas n ON n.nas_id = v.nas_id AND n.vendor = ANY (c_vendors)
        CROSS JOIN LATERAL (
            SELECT COALESCE(n.vendor = 'mikrotik' AND v.session_class LIKE '%:ppp', false) AS is_ppp
        ) x
        CROSS JOIN reservable_v1(p_now, v.customer_id, v.subscription_id) f
        CROSS JOIN LATERAL (
            SELECT count(*) AS running FROM live_session o
            WHERE o.customer_id = v.customer_id AND o.subscription_id = v.subscription_id
              AND o.closed_at IS NULL
        ) others
        WHERE v.customer_id = p_customer_id AND v.session_id = p_session_id
          AND v.closed_at IS NULL AND v.cut_requested_at IS NULL
          AND (p_added_octets > 0 AND f.octets_left / others.running <= p_added_octets
                   AND (n.vendor = 'chilli' AND others.running > 1 OR x.is_ppp)
               OR p_added_seconds > 0 AND f.seconds_left / others.running <= p_added_seconds
                   AND others.running > 1)
    ) OR EXISTS (
        SELECT 1 FROM coa_intent c
        WHERE c.customer_id = p_customer_id AND c.session_id = p_session_id
          AND c.goal = 'tighten' AND c.intent_id > COALESCE((
            SELECT max(r.intent_id) FROM coa_intent r
            WHERE r.customer_id = c.customer_id AND r.session_id = c.session_id
              AND r.goal = 'refresh'), 0)
    ) THEN
        RETURN 0;
    END IF;
    RETURN order_change_v1(p_now, p_customer_id, p_session_id, 'tighten', 'nearly-used-up');
END $$;

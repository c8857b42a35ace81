-- For subscriptions that the meter has just seen use up a package: start what waits in the chain
-- (B4); where nothing does, write one order per running session of every subscription on that
-- customer that is no longer served (P8, P14, C1). The sweep looks at once at who was cut, to tell the
-- customer, and at whose wallet fell below its alert (P6) or to its recharge (P7). Returns the number
-- of orders. Customers are locked.
CREATE FUNCTION cut_unserved_v1(
    p_now timestamptz, p_customer_id bigint[], p_subscription_id bigint[], p_event_at timestamptz[]
) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    v_orders int;
BEGIN
    PERFORM plan_chain_v1(u.customer_id, u.subscription_id, LEAST(u.event_at, p_now), p_now)
    FROM unnest(p_customer_id, p_subscription_id, p_event_at)
        AS u(customer_id, subscription_id, event_at)
    WHERE EXISTS (
        SELECT 1 FROM entitlement e
        WHERE e.customer_id = u.customer_id AND e.subscription_id = u.subscription_id
          AND e.ended_at IS NULL
          AND (e.valid_from IS NULL OR e.follows AND e.valid_from > p_now));
    -- Another package pays from now on: the sweep tells running sessions its speed (Q2), and ends
    -- it in time. Or the wallet pays, and has come below its alert (P6), or to where it is
    -- recharged (P7).
    UPDATE subscription s SET service_next_change_at = p_now
    FROM unnest(p_customer_id, p_subscription_id) AS u(customer_id, subscription_id)
    WHERE s.customer_id = u.customer_id AND s.subscription_id = u.subscription_id
      AND (EXISTS (
        SELECT 1 FROM entitlement e
        WHERE e.customer_id = u.customer_id AND e.subscription_id = u.subscription_id
          AND e.ended_at IS NULL AND e.valid_from <= p_now
          AND (e.valid_until IS NULL OR e.valid_until > p_now))
        OR EXISTS (
        SELECT 1 FROM wallet w
        WHERE w.customer_id = s.customer_id AND w.wallet_id = s.wallet_id
          AND w.posted_micros - w.unposted_micros - w.reserved_micros < w.look_below_micros));

    WITH unserved AS MATERIALIZED (
        SELECT s.customer_id, s.subscription_id, s.org_id, s.requires_entitlement, s.service_rule,
            CASE WHEN v.payg_octet_step IS NULL AND v.payg_second_step IS NULL THEN 'S7'
                 ELSE 'S6' END AS rule
        FROM subscription s LEFT JOIN plan_version v ON v.plan_version_id = s.plan_version_id
        WHERE s.customer_id = ANY (p_customer_id)
          AND NOT is_served_v1(s.customer_id, s.subscription_id, p_now)
    ), cut AS (
        UPDATE live_session l SET cut_requested_at = p_now FROM unserved u
        WHERE l.customer_id = u.customer_id AND l.subscription_id = u.subscription_id
          AND l.closed_at IS NULL AND l.cut_requested_at IS NULL
          -- Not what was let into a suspended pool because of this state already.
          AND NOT starts_with(COALESCE(l.session_class, ''), concat('tw1:', l.subscription_id, ':s'))
          AND (u.requires_entitlement OR u.service_rule = 'S8'
               OR starts_with(l.session_class, concat('tw1:', l.subscription_id, ':n')))
          -- Nor what goes on at a restricted speed, as its plan says (Q4).
          AND NOT EXISTS (
            SELECT 1 FROM reservation r
            WHERE r.customer_id = l.customer_id AND r.session_id = l.session_id
              AND r.state = 'held' AND r.restricted_at IS NOT NULL)
        RETURNING l.customer_id, l.session_id, l.nas_id, u.subscription_id, u.org_id,
            u.requires_entitlement, u.rule
    ), ordered AS (
        INSERT INTO coa_intent (customer_id, org_id, subscription_id, session_id, nas_id, goal,
                                reason, state, created_at, next_attempt_at, attempts)
        SELECT c.customer_id, c.org_id, c.subscription_id, c.session_id, c.nas_id,
            CASE WHEN c.requires_entitlement AND NOT EXISTS (
                SELECT 1 FROM reservation r
                JOIN plan_version p ON p.plan_version_id = r.plan_version_id
                WHERE r.customer_id = c.customer_id AND r.session_id = c.session_id
                  AND r.state = 'held' AND p.final_unit_action = 'redirect')
            THEN 'disconnect' ELSE 'suspend' END,
            CASE c.rule WHEN 'S6' THEN (
                SELECT CASE WHEN w.posted_micros - w.unposted_micros - w.reserved_micros
                        + w.credit_limit_micros
                        + CASE WHEN w.promised_until > p_now THEN w.promised_micros ELSE 0 END > 0
                    THEN 'spending-cap' ELSE 'wallet-exhausted' END
                FROM subscription s
                JOIN wallet w ON w.customer_id = s.customer_id AND w.wallet_id = s.wallet_id
                WHERE s.customer_id = c.customer_id AND s.subscription_id = c.subscription_id)
            ELSE COALESCE((
                SELECT CASE WHEN e.octets_left = 0 THEN 'data-used-up'
                            WHEN e.seconds_left = 0 THEN 'time-used-up' ELSE 'expired' END
                FROM entitlement e
                WHERE e.customer_id = c.customer_id AND e.subscription_id = c.subscription_id
                  AND (e.ended_at IS NOT NULL OR e.valid_until <= p_now)
                ORDER BY LEAST(e.ended_at, e.valid_until) DESC LIMIT 1), 'no-entitlement') END,
            'pending', p_now, p_now, 0
        FROM cut c
        RETURNING 1
    ), remembered AS (
        -- What renews by itself is bought again, at once (P10).
        UPDATE subscription s SET service_rule = u.rule, service_notice = 'due',
            service_next_change_at = p_now,
            renews_at = CASE WHEN s.renews THEN p_now ELSE s.renews_at END
        FROM unserved u
        WHERE s.customer_id = u.customer_id AND s.subscription_id = u.subscription_id
          AND s.service_rule = 'S8'
    )
    SELECT count(*) INTO v_orders FROM ordered;
    RETURN v_orders;
END $$;

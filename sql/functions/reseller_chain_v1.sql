-- A reseller (depth 0) and every reseller above it, with what each pays for a plan, in micros; NULL where
-- it may not sell it. A sale moves money in all these accounts, those of organisations that who sells
-- does not see, too (rule R1). No rows for who may not act for the reseller.
CREATE FUNCTION reseller_chain_v1(p_org_id bigint, p_plan_id bigint) RETURNS TABLE (
    depth int, org_id bigint, parent_org_id bigint, customer_id bigint, wallet_id bigint,
    currency text, cost_micros bigint, below_parent boolean, spendable_micros bigint,
    alert_below_micros bigint, closed_at timestamptz
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE above AS (
        SELECT 0 AS depth, o.org_id, o.parent_org_id FROM organisation o
        WHERE o.org_id = p_org_id AND may_act_for_v1(p_org_id)
        UNION ALL
        SELECT a.depth + 1, o.org_id, o.parent_org_id
        FROM above a JOIN organisation o ON o.org_id = a.parent_org_id
    )
    SELECT a.depth, a.org_id, a.parent_org_id, w.customer_id, w.wallet_id, w.currency,
        c.cost_micros, COALESCE(c.below_parent, false),
        w.posted_micros - w.unposted_micros - w.reserved_micros + w.credit_limit_micros,
        w.alert_below_micros, r.closed_at
    FROM above a
    JOIN reseller r ON r.org_id = a.org_id
    CROSS JOIN LATERAL (SELECT * FROM wallet w WHERE w.customer_id = r.account_customer_id
                        ORDER BY w.wallet_id LIMIT 1) w
    LEFT JOIN LATERAL (SELECT c.cost_micros, c.below_parent FROM reseller_cost c
                       WHERE c.org_id = a.org_id AND c.plan_id = p_plan_id
                       ORDER BY c.cost_id DESC LIMIT 1) c ON true
    ORDER BY a.depth
$$;

-- Subscriptions with a session accounted for since :since whose plan has steps of fair use: the
-- plan of the package in use, else their own. `used_octets`: what that package has carried, or what
-- was carried without one since the first day of the cycle (of monthly profiles, by the arrays).
SELECT s.customer_id, s.subscription_id, v.fair_use, s.capped_by_octets,
    COALESCE(d.octets, 0)::bigint AS used_octets
FROM (
    SELECT DISTINCT customer_id, subscription_id FROM live_session
    WHERE closed_at IS NULL AND last_arrival_at >= :since
) l
JOIN subscription s ON s.customer_id = l.customer_id AND s.subscription_id = l.subscription_id
JOIN customer c ON c.customer_id = s.customer_id
LEFT JOIN unnest(CAST(:profile_ids AS bigint[]), CAST(:first_days AS date[]))
    AS cycle(profile_id, first_day) ON cycle.profile_id = COALESCE(s.profile_id, c.profile_id)
LEFT JOIN LATERAL (
    SELECT o.entitlement_id, o.plan_version_id FROM entitlement o
    WHERE o.customer_id = s.customer_id AND o.subscription_id = s.subscription_id
      AND o.ended_at IS NULL AND o.valid_from <= :now
      AND (o.valid_until IS NULL OR o.valid_until > :now)
    ORDER BY o.use_order, o.valid_until, o.entitlement_id LIMIT 1
) e ON true
JOIN plan_version v ON v.plan_version_id = COALESCE(e.plan_version_id, s.plan_version_id)
    AND (v.fair_use IS NOT NULL OR s.capped_by_octets IS NOT NULL)
LEFT JOIN LATERAL (
    SELECT sum(u.input_octets + u.output_octets) AS octets FROM daily_usage u
    WHERE u.customer_id = s.customer_id AND u.subscription_id = s.subscription_id
      AND u.entitlement_id = COALESCE(e.entitlement_id, 0) AND u.kind <> 'free'
      AND (e.entitlement_id IS NOT NULL OR u.local_day >= cycle.first_day)
) d ON true

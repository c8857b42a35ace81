-- Orders to running sessions at a tariff switch (rule Q3): of subscriptions whose plan, or a package
-- of theirs, is one of these versions, begun before the switch, and not told of it yet. Customers of
-- one version are told once, whatever process does it: the caller holds the lock of this work.
INSERT INTO coa_intent (customer_id, org_id, subscription_id, session_id, nas_id, goal, reason,
                        state, created_at, next_attempt_at, attempts)
SELECT v.customer_id, v.org_id, v.subscription_id, v.session_id, v.nas_id, 'tariff', 'tariff-switch',
    'pending', :now, :now, 0
FROM live_session v
JOIN subscription s ON s.customer_id = v.customer_id AND s.subscription_id = v.subscription_id
CROSS JOIN LATERAL (
    SELECT max(w.switched_at) AS switched_at
    FROM unnest(CAST(:version_ids AS bigint[]), CAST(:switched_at AS timestamptz[]))
        AS w(plan_version_id, switched_at)
    WHERE w.plan_version_id = s.plan_version_id OR w.plan_version_id IN (
        SELECT e.plan_version_id FROM entitlement e
        WHERE e.customer_id = s.customer_id AND e.subscription_id = s.subscription_id
          AND e.ended_at IS NULL AND e.valid_from <= :now
          AND (e.valid_until IS NULL OR e.valid_until > :now))
) w
WHERE v.closed_at IS NULL AND v.cut_requested_at IS NULL AND s.has_tariff_windows
  AND s.service_rule = 'S8' AND v.started_at < w.switched_at
  AND NOT EXISTS (
    SELECT 1 FROM coa_intent i
    WHERE i.customer_id = v.customer_id AND i.session_id = v.session_id AND i.goal = 'tariff'
      AND i.created_at >= w.switched_at)

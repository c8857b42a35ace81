-- What a list shows of each subscription: packages in force summed up, open sessions counted.
-- A quantity that no package limits is NULL ("not limited"), and so is one of no package.
SELECT s.customer_id, s.subscription_id, s.org_id, s.username, c.name AS customer_name,
       p.name AS profile_name, plan.name AS plan_name, host(s.framed_ip) AS framed_ip,
       s.closed_at, left_over.valid_until, left_over.seconds_left, left_over.seconds_total,
       left_over.octets_left, left_over.octets_total,
       (SELECT count(*) FROM live_session l
        WHERE l.customer_id = s.customer_id AND l.subscription_id = s.subscription_id
          AND l.closed_at IS NULL) AS live_sessions
FROM subscription s
JOIN customer c USING (customer_id)
JOIN billing_profile p ON p.profile_id = coalesce(s.profile_id, c.profile_id)
LEFT JOIN plan_version v ON v.plan_version_id = s.plan_version_id
LEFT JOIN plan ON plan.plan_id = v.plan_id
CROSS JOIN LATERAL (
    SELECT CASE WHEN bool_and(e.valid_until IS NOT NULL) THEN max(e.valid_until) END AS valid_until,
           CASE WHEN bool_and(e.seconds_left IS NOT NULL) THEN sum(e.seconds_left) END::bigint
               AS seconds_left,
           CASE WHEN bool_and(e.seconds_left IS NOT NULL) THEN sum(e.seconds_total) END::bigint
               AS seconds_total,
           CASE WHEN bool_and(e.octets_left IS NOT NULL) THEN sum(e.octets_left) END::bigint
               AS octets_left,
           CASE WHEN bool_and(e.octets_left IS NOT NULL) THEN sum(e.octets_total) END::bigint
               AS octets_total
    FROM entitlement e
    WHERE e.customer_id = s.customer_id AND e.subscription_id = s.subscription_id
      AND e.ended_at IS NULL AND (e.valid_until IS NULL OR e.valid_until > %(now)s)
) left_over
WHERE s.subscription_id = ANY (%(subscription_ids)s)
ORDER BY s.username

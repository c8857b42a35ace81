-- One slice of usage for each session, in the order in which they began.
INSERT INTO daily_usage (customer_id, session_id, local_day, kind, entitlement_id, plan_version_id,
    subscription_id, org_id, seconds, input_octets, output_octets, charged_micros)
SELECT c.customer_id, g.n, (%(began)s::timestamptz + g.n * %(step)s::interval)::date, 'entitlement',
    %(subscribers)s + 1 + g.n / 10, %(plan_version_id)s, c.customer_id, 1, d.seconds,
    d.seconds * 2000, d.seconds * 30000, 0
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS g(n)
CROSS JOIN LATERAL (SELECT 1 + g.n * %(scatter)s::bigint %% %(subscribers)s AS customer_id) c
CROSS JOIN LATERAL (SELECT 600 + g.n * 37 %% 7200 AS seconds) d

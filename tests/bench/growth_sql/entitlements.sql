-- A package that was used up for every ten sessions.
INSERT INTO entitlement (customer_id, entitlement_id, org_id, subscription_id, plan_version_id, follows,
    validity_minutes, valid_from, valid_until, seconds_total, seconds_left, octets_total, octets_left,
    price_micros, purchased_at, ended_at)
SELECT c.customer_id, %(subscribers)s + 1 + g.n, 1, c.customer_id, %(plan_version_id)s, false, 43200,
    s.at, s.at + interval '30 days', 360000, 0, 50000000000, 1000, 1000000, s.at,
    s.at + interval '29 days'
FROM generate_series(0::bigint, %(last)s::bigint / 10) AS g(n)
CROSS JOIN LATERAL (SELECT 1 + g.n * 10 * %(scatter)s::bigint %% %(subscribers)s AS customer_id) c
CROSS JOIN LATERAL (SELECT %(began)s::timestamptz + g.n * 10 * %(step)s::interval AS at) s

-- The logins of one day.
INSERT INTO {table} (at, customer_id, username, attempt_id, org_id, subscription_id, nas_id,
    calling_station, outcome, reason)
SELECT %(began)s::timestamptz + g.n * %(step)s::interval, c.customer_id,
    'bench' || lpad((c.customer_id - 1)::text, 6, '0'),
    nextval(pg_get_serial_sequence('login_attempt', 'attempt_id')), 1, c.customer_id, 1,
    '02-00-00-00-00-01', 'accept', 'ok'
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS g(n)
CROSS JOIN LATERAL (SELECT 1 + g.n * %(scatter)s::bigint %% %(subscribers)s AS customer_id) c

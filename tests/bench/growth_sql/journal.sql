-- The raw records of one day: a Start, three Interim-Updates and a Stop of each of its sessions.
INSERT INTO {table} (arrived_at, customer_id, session_id, record_id, org_id, subscription_id, nas_id,
    acct_session_id, status, event_at, session_seconds, input_octets, output_octets, added_seconds,
    added_input_octets, added_output_octets, charged_micros, plan_version_id, outcome)
SELECT r.at, c.customer_id, g.n, nextval(pg_get_serial_sequence('acct_journal', 'record_id')), 1,
    c.customer_id, 1, 'g' || lpad(to_hex(g.n), 11, '0'),
    (ARRAY[1, 3, 3, 3, 2])[r.place], r.at, (r.place - 1) * 600, (r.place - 1) * 1200000,
    (r.place - 1) * 18000000, 600, 1200000, 18000000, 0, %(plan_version_id)s, 'counted'
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS g(n)
CROSS JOIN LATERAL (SELECT 1 + g.n * %(scatter)s::bigint %% %(subscribers)s AS customer_id) c
CROSS JOIN generate_series(1, 5) AS p(place)
CROSS JOIN LATERAL (SELECT p.place,
    LEAST(%(began)s::timestamptz + g.n * %(step)s::interval + (p.place - 1) * interval '10 minutes',
          %(until)s::timestamptz - interval '1 second') AS at) r

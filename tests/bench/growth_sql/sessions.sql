-- Past sessions %(first)s..%(last)s, in the order in which they began: session N began N steps after
-- the first, and belongs to the customer that N falls on.
INSERT INTO {table} (customer_id, session_id, started_at, org_id, subscription_id, nas_id,
    acct_session_id, epoch, username, last_event_at, last_arrival_at, closed_at, terminate_cause,
    session_seconds, input_octets, output_octets, input_wraps, output_wraps, input_at_seconds,
    output_at_seconds, has_gigawords, charged_micros, payg_seconds, payg_octets, payg_micros,
    framed_ip, calling_station, called_station, nas_port_id, session_class)
SELECT c.customer_id, g.n, s.started_at, 1, c.customer_id, 1, 'g' || lpad(to_hex(g.n), 11, '0'), 1,
    'bench' || lpad((c.customer_id - 1)::text, 6, '0'), e.at, e.at, e.at, 'User-Request',
    d.seconds, d.seconds * 2000, d.seconds * 30000, 0, 0, d.seconds, d.seconds, true, 0, 0, 0, 0,
    '10.64.0.0'::inet + c.customer_id, '02-00-00-00-00-01', 'bench-uplink', g.n::text, NULL
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS g(n)
CROSS JOIN LATERAL (SELECT 1 + g.n * %(scatter)s::bigint %% %(subscribers)s AS customer_id) c
CROSS JOIN LATERAL (SELECT %(began)s::timestamptz + g.n * %(step)s::interval AS started_at) s
CROSS JOIN LATERAL (SELECT 600 + g.n * 37 %% 7200 AS seconds) d
CROSS JOIN LATERAL (SELECT s.started_at + d.seconds * interval '1 second' AS at) e

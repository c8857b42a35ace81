-- Every tenth customer is online; none of them is one that the bench drives.
INSERT INTO live_session (customer_id, session_id, started_at, org_id, subscription_id, nas_id,
    acct_session_id, epoch, username, last_event_at, last_arrival_at, session_seconds, input_octets,
    output_octets, input_wraps, output_wraps, input_at_seconds, output_at_seconds, has_gigawords,
    charged_micros, payg_seconds, payg_octets, payg_micros, framed_ip, calling_station)
SELECT c.customer_id, %(first)s + g.n, %(now)s::timestamptz - interval '1 hour', 1, c.customer_id, 1,
    'go' || lpad(to_hex(g.n), 10, '0'), 1, 'bench' || lpad((c.customer_id - 1)::text, 6, '0'),
    %(now)s, %(now)s, 3600, 7200000, 108000000, 0, 0, 3600, 3600, true, 0, 0, 0, 0,
    '10.64.0.0'::inet + c.customer_id, '02-00-00-00-00-01'
FROM generate_series(0::bigint, %(subscribers)s / 10 - 1) AS g(n)
CROSS JOIN LATERAL (SELECT g.n * 10 + 6 AS customer_id) c

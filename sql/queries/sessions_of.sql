-- Sessions of a subscription (NULL: of all of its customer's), newest first: the live table (open and lately closed) and history.
SELECT l.session_id, l.subscription_id, l.username, l.nas_id, n.name AS nas_name,
       l.acct_session_id, l.started_at, l.last_event_at, l.closed_at, l.terminate_cause,
       l.session_seconds AS seconds, l.input_octets, l.output_octets, l.charged_micros,
       host(l.framed_ip) AS framed_ip, l.calling_station
FROM (
    SELECT customer_id, session_id, subscription_id, username, nas_id, acct_session_id, started_at,
           last_event_at, closed_at, terminate_cause, session_seconds, input_octets, output_octets,
           charged_micros, framed_ip, calling_station
    FROM live_session
    UNION ALL
    SELECT customer_id, session_id, subscription_id, username, nas_id, acct_session_id, started_at,
           last_event_at, closed_at, terminate_cause, session_seconds, input_octets, output_octets,
           charged_micros, framed_ip, calling_station
    FROM session_history
) l
LEFT JOIN nas n USING (nas_id)
WHERE l.customer_id = %(customer_id)s AND (%(subscription_id)s::bigint IS NULL OR l.subscription_id = %(subscription_id)s)
  AND l.started_at <= %(now)s AND (NOT %(open_only)s OR l.closed_at IS NULL)
ORDER BY l.started_at DESC, l.session_id DESC
LIMIT %(limit)s

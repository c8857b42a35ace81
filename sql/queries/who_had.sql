-- Sessions that held an address between two instants (rule U12), surest place first: the live table,
-- read through, as nothing in it that a record changes may be indexed, and the history by its indexes
-- of each kind of address and the end of the session. A prefix that holds the address is one of
-- :prefixes, so that it is found by equality.
SELECT l.customer_id, c.name AS customer_name, l.subscription_id, l.username, l.session_id,
    l.acct_session_id, COALESCE(n.name, concat('NAS ', l.nas_id)) AS nas_name, l.nas_port_id,
    l.calling_station, l.started_at, l.last_event_at, l.closed_at, l.terminate_cause,
    host(l.framed_ip) AS framed_ip, l.framed_ipv6_address, l.framed_ipv6_prefix,
    l.delegated_ipv6_prefix, l.framed_interface_id
FROM (
    SELECT customer_id, subscription_id, username, session_id, acct_session_id, nas_id, nas_port_id,
        calling_station, started_at, last_event_at, closed_at, terminate_cause, framed_ip,
        framed_ipv6_address, framed_ipv6_prefix, delegated_ipv6_prefix, framed_interface_id
    FROM live_session
    WHERE started_at <= :until AND (closed_at IS NULL OR closed_at >= :since)
      AND (framed_ip = CAST(:ipv4 AS inet)
           OR framed_ipv6_address = CAST(:ipv6 AS text)
           OR framed_ipv6_prefix = ANY (CAST(:prefixes AS text[]))
           OR delegated_ipv6_prefix = ANY (CAST(:prefixes AS text[]))
           OR framed_interface_id = CAST(:interface_id AS text)
              AND framed_ipv6_prefix IS NULL AND framed_ipv6_address IS NULL)
    UNION ALL
    SELECT customer_id, subscription_id, username, session_id, acct_session_id, nas_id, nas_port_id,
        calling_station, started_at, last_event_at, closed_at, terminate_cause, framed_ip,
        framed_ipv6_address, framed_ipv6_prefix, delegated_ipv6_prefix, framed_interface_id
    FROM session_history
    WHERE started_at <= :until AND closed_at >= :since
      AND (framed_ip = CAST(:ipv4 AS inet)
           OR framed_ipv6_address = CAST(:ipv6 AS text)
           OR framed_ipv6_prefix = ANY (CAST(:prefixes AS text[]))
           OR delegated_ipv6_prefix = ANY (CAST(:prefixes AS text[]))
           OR framed_interface_id = CAST(:interface_id AS text)
              AND framed_ipv6_prefix IS NULL AND framed_ipv6_address IS NULL)
) l
LEFT JOIN customer c ON c.customer_id = l.customer_id
LEFT JOIN nas n ON n.nas_id = l.nas_id
ORDER BY l.started_at <= :at AND (l.closed_at IS NULL OR l.closed_at >= :at) DESC,
    l.started_at DESC, l.session_id DESC
LIMIT :limit

-- Sessions as they are stored, live and past, by number, by the NAS's own id, or of a subscription
-- where they touch a stretch of time or have usage on one of its local days.
SELECT l.customer_id, l.has_gigawords, l.payg_version_id, l.payg_seconds, l.payg_octets,
    l.payg_micros, l.session_id, l.subscription_id, l.username, l.nas_id, n.name AS nas_name,
    l.acct_session_id, l.started_at, l.last_event_at, l.closed_at, l.terminate_cause,
    l.session_seconds AS seconds, l.input_octets, l.output_octets, l.charged_micros,
    host(l.framed_ip) AS framed_ip, l.calling_station
FROM (
    SELECT customer_id, session_id, has_gigawords, payg_version_id, payg_seconds, payg_octets,
        payg_micros, subscription_id, username, nas_id, acct_session_id, started_at, last_event_at,
        closed_at, terminate_cause, session_seconds, input_octets, output_octets, charged_micros,
        framed_ip, calling_station
    FROM live_session
    UNION ALL
    SELECT customer_id, session_id, has_gigawords, payg_version_id, payg_seconds, payg_octets,
        payg_micros, subscription_id, username, nas_id, acct_session_id, started_at, last_event_at,
        closed_at, terminate_cause, session_seconds, input_octets, output_octets, charged_micros,
        framed_ip, calling_station
    FROM session_history
) l
LEFT JOIN nas n ON n.nas_id = l.nas_id  -- a reseller does not see the operator's
WHERE (CAST(:customer_id AS bigint) IS NULL OR l.customer_id = :customer_id)
  AND (CAST(:subscription_id AS bigint) IS NULL OR l.subscription_id = :subscription_id)
  AND (CAST(:session_id AS bigint) IS NULL AND CAST(:acct_session_id AS text) IS NULL
       OR l.session_id = :session_id OR l.acct_session_id = :acct_session_id)
  AND (CAST(:first_day AS date) IS NULL
       OR l.started_at < :until AND l.last_event_at >= :since
       OR EXISTS (SELECT FROM daily_usage d
                  WHERE d.customer_id = l.customer_id AND d.session_id = l.session_id
                    AND d.local_day BETWEEN :first_day AND :last_day))
ORDER BY l.started_at, l.session_id
LIMIT :limit

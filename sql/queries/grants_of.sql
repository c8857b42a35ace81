-- Reservations of a subscription (rule Q4): those that are held, then the latest that have ended.
SELECT r.reservation_id, r.session_id, v.acct_session_id, n.name AS nas_name, r.calling_station,
    r.state, r.taken_at, r.ended_at, r.valid_until, r.granted_seconds, r.granted_octets,
    r.used_seconds, r.used_input_octets + r.used_output_octets AS used_octets,
    r.granted_octets IS NULL OR r.nas_can & 3 > 0 AS enforced,
    r.final_at IS NOT NULL AS final, r.restricted_at IS NOT NULL AS restricted
FROM reservation r
LEFT JOIN live_session v ON v.customer_id = r.customer_id AND v.session_id = r.session_id
LEFT JOIN nas n ON n.nas_id = r.nas_id
WHERE r.customer_id = %(customer_id)s AND r.subscription_id = %(subscription_id)s
ORDER BY r.state <> 'held', r.reservation_id DESC
LIMIT %(limit)s

-- Closes orders that are done (rule C1: confirmed only by accounting):
--   the session has ended: confirmed when anything had been sent, else there is nothing to do;
--   a CoA was acknowledged and the session has been accounted for since: confirmed;
--   older than the limit: failed.
UPDATE coa_intent i SET finished_at = :now, state = done.state
FROM (
    SELECT o.customer_id, o.intent_id, CASE
            WHEN (s.session_id IS NULL OR s.closed_at IS NOT NULL) AND o.attempts = 0
                THEN 'cancelled'
            WHEN s.session_id IS NULL OR s.closed_at IS NOT NULL THEN 'confirmed'
            WHEN s.last_arrival_at > acked.answered_at THEN 'confirmed'
            WHEN COALESCE(o.retried_at, o.created_at) < :oldest THEN 'failed' END AS state
    FROM coa_intent o
    LEFT JOIN live_session s ON s.customer_id = o.customer_id AND s.session_id = o.session_id
    LEFT JOIN LATERAL (
        SELECT max(a.answered_at) AS answered_at FROM coa_attempt a
        WHERE o.state = 'acked' AND a.customer_id = o.customer_id AND a.intent_id = o.intent_id
          AND a.packet = 'CoA-Request' AND a.outcome = 'ack'
    ) acked ON true
    WHERE o.state IN ('pending', 'acked')
    FOR UPDATE OF o SKIP LOCKED
) done
WHERE i.customer_id = done.customer_id AND i.intent_id = done.intent_id AND done.state IS NOT NULL

-- Sessions that their NAS has said it does not know, and that have been silent since :silent_since.
SELECT DISTINCT i.customer_id, i.session_id
FROM coa_intent i
JOIN live_session s ON s.customer_id = i.customer_id AND s.session_id = i.session_id
WHERE i.state IN ('pending', 'acked') AND i.attempts > 0
  AND s.closed_at IS NULL AND s.last_arrival_at < :silent_since
  AND (SELECT a.error_cause FROM coa_attempt a
       WHERE a.customer_id = i.customer_id AND a.intent_id = i.intent_id
         AND a.answered_at IS NOT NULL
       ORDER BY a.attempt DESC LIMIT 1) = 'Session-Context-Not-Found'
ORDER BY i.customer_id

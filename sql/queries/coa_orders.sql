-- Orders to running sessions, newest first. :done false looks at what is not done alone, by an
-- index of its own.
SELECT i.customer_id, i.intent_id, i.subscription_id, b.username, i.session_id,
    COALESCE(s.acct_session_id, (SELECT h.acct_session_id FROM session_history h
        WHERE h.customer_id = i.customer_id AND h.session_id = i.session_id)) AS acct_session_id,
    s.session_id IS NOT NULL AND s.closed_at IS NULL AS running, i.nas_id,
    COALESCE(n.name, concat('NAS ', i.nas_id)) AS nas_name,
    i.goal, i.reason, i.state, i.created_at, i.retried_at,
    CASE WHEN i.state IN ('pending', 'acked') THEN i.next_attempt_at END AS next_attempt_at,
    i.finished_at, i.attempts AS tries, i.escalated
FROM coa_intent i
JOIN subscription b ON b.customer_id = i.customer_id AND b.subscription_id = i.subscription_id
LEFT JOIN nas n ON n.nas_id = i.nas_id  -- a reseller does not see the operator's
LEFT JOIN live_session s ON s.customer_id = i.customer_id AND s.session_id = i.session_id
WHERE (i.state IN ('pending', 'acked', 'failed') OR CAST(:done AS boolean))
  AND i.state = ANY (CAST(:states AS text[]))
  AND (CAST(:intent_id AS bigint) IS NULL OR i.intent_id = :intent_id)
  AND (CAST(:nas_id AS bigint) IS NULL OR i.nas_id = :nas_id)
  AND (CAST(:subscription_id AS bigint) IS NULL OR i.subscription_id = :subscription_id)
  AND (CAST(:before AS bigint) IS NULL OR i.intent_id < :before)
ORDER BY i.intent_id DESC
LIMIT :limit

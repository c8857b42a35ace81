-- Attempts to log in, newest first (rule A3). By name they are found by the primary key, of whom it is
-- now and of nobody; all others by when they were answered.
SELECT a.at, a.attempt_id, a.username, NULLIF(a.customer_id, 0) AS customer_id,
    NULLIF(a.subscription_id, 0) AS subscription_id,
    CASE WHEN a.nas_id = 0 THEN 'unknown' ELSE COALESCE(n.name, concat('NAS ', a.nas_id)) END AS nas_name,
    a.calling_station, a.outcome, a.reason
FROM login_attempt a
LEFT JOIN nas n ON n.nas_id = a.nas_id  -- a reseller does not see the operator's
WHERE (CAST(:customer_ids AS bigint[]) IS NULL OR a.customer_id = ANY (CAST(:customer_ids AS bigint[])))
  AND (CAST(:username AS text) IS NULL OR a.username = :username)
  AND (CAST(:subscription_id AS bigint) IS NULL OR a.subscription_id = :subscription_id)
  AND (CAST(:station AS text) IS NULL OR a.calling_station = :station)
  AND (CAST(:nas_id AS bigint) IS NULL OR a.nas_id = :nas_id)
  AND (CAST(:reason AS text) IS NULL OR a.reason = :reason)
  AND (CAST(:outcome AS text) IS NULL OR a.outcome = :outcome)
  AND (CAST(:since AS timestamptz) IS NULL OR a.at >= :since)
  AND (CAST(:until AS timestamptz) IS NULL OR a.at < :until)
  AND (CAST(:before_at AS timestamptz) IS NULL
       OR (a.at, a.attempt_id) < (CAST(:before_at AS timestamptz), CAST(:before_id AS bigint)))
ORDER BY a.at DESC, a.attempt_id DESC
LIMIT :limit

-- What was odd, newest first.
SELECT a.anomaly_id, a.at, s.username, a.subscription_id, a.session_id,
    COALESCE(n.name, concat('NAS ', a.nas_id)) AS nas_name, a.code, a.detail
FROM anomaly a
LEFT JOIN subscription s
    ON s.customer_id = a.customer_id AND s.subscription_id = a.subscription_id
LEFT JOIN nas n ON n.nas_id = a.nas_id  -- a reseller does not see the operator's
WHERE (CAST(:customer_id AS bigint) IS NULL OR a.customer_id = :customer_id)
  AND (CAST(:subscription_id AS bigint) IS NULL OR a.subscription_id = :subscription_id)
  AND (CAST(:code AS text) IS NULL OR a.code = :code)
  AND (CAST(:since AS timestamptz) IS NULL OR a.at >= :since)
  AND (CAST(:until AS timestamptz) IS NULL OR a.at < :until)
  AND (CAST(:before AS bigint) IS NULL OR a.anomaly_id < :before)
ORDER BY a.anomaly_id DESC
LIMIT :limit

-- Accounting records that belong to no session, newest first (radius.md F5).
SELECT d.letter_id, d.arrived_at, host(d.nas_address) AS nas_address, n.name AS nas_name, d.reason, d.raw
FROM acct_dead_letter d
LEFT JOIN nas n ON n.address = d.nas_address
WHERE d.arrived_at >= :since
  AND (CAST(:until AS timestamptz) IS NULL OR d.arrived_at < :until)
  AND (CAST(:reason AS text) IS NULL OR d.reason = :reason)
  AND (CAST(:nas_address AS inet) IS NULL OR d.nas_address = CAST(:nas_address AS inet))
  AND (CAST(:before AS bigint) IS NULL OR d.letter_id < :before)
ORDER BY d.letter_id DESC
LIMIT :limit

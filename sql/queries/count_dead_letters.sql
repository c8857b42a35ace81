-- The same by reason, most first.
SELECT d.reason, count(*) AS letters, max(d.arrived_at) AS last_at
FROM acct_dead_letter d
WHERE d.arrived_at >= :since
  AND (CAST(:until AS timestamptz) IS NULL OR d.arrived_at < :until)
  AND (CAST(:nas_address AS inet) IS NULL OR d.nas_address = CAST(:nas_address AS inet))
GROUP BY d.reason
ORDER BY count(*) DESC, d.reason

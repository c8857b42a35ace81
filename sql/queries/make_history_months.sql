-- Partitions of the history for a session that began long ago; no days (below -2 there are none).
SELECT ensure_partitions_v1(%(began_at)s, -3)

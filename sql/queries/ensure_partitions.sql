-- Partitions for yesterday to a fortnight ahead (journal, logins) and the months around (history).
SELECT ensure_partitions_v1(%(now)s)

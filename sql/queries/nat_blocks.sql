-- Port blocks that an outer address and port belonged to between two instants, newest first (rule U12).
SELECT host(outer_address) AS outer_address, first_port, last_port, host(inner_address) AS inner_address,
    since, until
FROM nat_block
WHERE outer_address = CAST(:address AS inet) AND :port BETWEEN first_port AND last_port
  AND since <= :last AND (until IS NULL OR until >= :first)
ORDER BY since DESC, block_id DESC
LIMIT :limit

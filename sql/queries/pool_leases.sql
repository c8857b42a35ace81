-- Leases of a pool that have not ended, in the order of addresses; :text is part of a user name, an
-- address or a station, empty for all.
SELECT host(l.address) AS address, l.customer_id, l.subscription_id, s.username, l.calling_station,
    l.leased_at, l.state, n.name AS nas_name, l.session_started_at
FROM pool_leases_v1(:now, :pool_id) l
LEFT JOIN subscription s ON s.customer_id = l.customer_id
    AND s.subscription_id = l.subscription_id
LEFT JOIN nas n ON n.nas_id = l.nas_id
WHERE l.state <> 'ended'
  AND (:after = '' OR l.address > CAST(NULLIF(:after, '') AS inet))
  AND (:text = '' OR strpos(s.username, :text) > 0 OR host(l.address) = :text
       OR l.calling_station = :station)
ORDER BY l.address LIMIT :limit

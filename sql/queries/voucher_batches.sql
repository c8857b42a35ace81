-- Batches, the newest first, each with its stock by state; of one, or of all before one. Micros.
SELECT b.batch_id, b.org_id, b.name, b.kind, p.name AS plan_name, b.face_micros, b.currency, b.prefix,
    b.length, b.alphabet, b.pass_length AS password_length, b.as_login, b.made_at, b.expires_at,
    b.codes_sealed IS NOT NULL AS codes_kept, s.first_serial, s.last_serial, s.stock
FROM (SELECT * FROM voucher_batch
      WHERE (%(batch_id)s::bigint IS NULL OR batch_id = %(batch_id)s)
        AND (%(before)s::bigint IS NULL OR batch_id < %(before)s)
      ORDER BY batch_id DESC LIMIT %(most)s) b
LEFT JOIN plan_version t ON t.plan_version_id = b.plan_version_id
LEFT JOIN plan p ON p.plan_id = t.plan_id
LEFT JOIN LATERAL (
    SELECT min(c.first_serial) AS first_serial, max(c.last_serial) AS last_serial,
        jsonb_object_agg(c.state, c.count) AS stock
    FROM (SELECT v.state, count(*) AS count, min(v.serial) AS first_serial,
              max(v.serial) AS last_serial
          FROM voucher v WHERE v.batch_id = b.batch_id GROUP BY v.state) c) s ON true
ORDER BY b.batch_id DESC

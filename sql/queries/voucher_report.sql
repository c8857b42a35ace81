-- What was sold, redeemed and lapsed of each batch from one instant to before another, and what is still
-- owed at the end. Vouchers that took another one's place count once, as the other one. Micros.
SELECT b.batch_id, b.name, b.currency, b.face_micros,
    count(*) FILTER (WHERE v.activated_at >= %(since)s AND v.activated_at < %(until)s) AS sold,
    count(*) FILTER (WHERE v.state = 'redeemed'
        AND v.ended_at >= %(since)s AND v.ended_at < %(until)s) AS redeemed,
    count(*) FILTER (WHERE v.state IN ('expired', 'revoked') AND v.activated_at IS NOT NULL
        AND v.ended_at >= %(since)s AND v.ended_at < %(until)s) AS lapsed,
    count(*) FILTER (WHERE v.activated_at < %(until)s
        AND (v.ended_at IS NULL OR v.ended_at >= %(until)s)) AS outstanding
FROM voucher v JOIN voucher_batch b ON b.batch_id = v.batch_id
WHERE v.state <> 'replaced'
GROUP BY b.batch_id ORDER BY b.batch_id

-- Vouchers of a batch, a page of them. One whose code exists already is left out.
INSERT INTO voucher (batch_id, serial, org_id, code_hmac, state, expires_at)
SELECT %(batch_id)s, v.serial, %(org_id)s, v.code_hmac, 'created', %(expires_at)s
FROM unnest(%(serials)s::bigint[], %(hashes)s::bytea[]) AS v(serial, code_hmac)
ON CONFLICT (code_hmac) DO NOTHING

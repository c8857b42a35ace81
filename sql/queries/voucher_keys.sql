-- Keys that codes were hashed with since the first, sealed.
SELECT key_id, key_sealed FROM voucher_key ORDER BY key_id

-- By keyed hash: the user names that vouchers log in under (rule R3), and how long their password is. Two
-- batches may have codes of one form, with a password and without.
SELECT v.code_hmac, v.login_name, b.pass_length AS password_length
FROM voucher v JOIN voucher_batch b ON b.batch_id = v.batch_id
WHERE v.code_hmac = ANY (%s::bytea[]) AND v.state IN ('active', 'redeemed')
  AND v.login_name IS NOT NULL

-- By keyed hash: the user names that vouchers log in under (rule R3).
SELECT v.code_hmac, v.login_name FROM voucher v
WHERE v.code_hmac = ANY (%s::bytea[]) AND v.state IN ('active', 'redeemed')
  AND v.login_name IS NOT NULL

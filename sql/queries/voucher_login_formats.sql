-- The formats of codes that may log in.
SELECT DISTINCT prefix, length, alphabet, pass_length AS password_length FROM voucher_batch WHERE as_login

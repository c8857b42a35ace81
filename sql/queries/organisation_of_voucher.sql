-- Whose a voucher is, by the keyed hash of its code.
SELECT organisation_of_voucher_v1(%(code_hmac)s) AS org_id

-- The organisation that a voucher is of, for who knows its code (as its keyed hash): a card is redeemed by
-- whoever holds it, whichever organisation's customer that is. NULL: nobody's code.
CREATE FUNCTION organisation_of_voucher_v1(p_code_hmac bytea) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT v.org_id FROM voucher v WHERE v.code_hmac = p_code_hmac
$$;

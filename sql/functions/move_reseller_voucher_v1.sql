-- A card that takes another one's place is of the sale that the other was of (rule R3). The old one is
-- `replaced` already, the new one still in stock.
CREATE FUNCTION move_reseller_voucher_v1(p_old_serial bigint, p_new_serial bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_old voucher;
BEGIN
    SELECT * INTO STRICT v_old FROM voucher v WHERE v.serial = p_old_serial;
    IF v_old.state <> 'replaced' OR v_old.replaced_by IS DISTINCT FROM p_new_serial
       OR NOT may_act_for_v1(v_old.org_id) THEN
        RAISE EXCEPTION 'voucher % is not replaced by %', p_old_serial, p_new_serial;
    END IF;
    UPDATE voucher v SET reseller_sale_id = v_old.reseller_sale_id
    WHERE v.batch_id = v_old.batch_id AND v.serial = p_new_serial AND v.state = 'created'
      AND v.reseller_sale_id IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'voucher % is not in stock', p_new_serial;
    END IF;
    UPDATE voucher v SET reseller_sale_id = NULL
    WHERE v.batch_id = v_old.batch_id AND v.serial = p_old_serial;
END $$;

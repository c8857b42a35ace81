-- Whether a package, or a payment, of a customer came by a plan's voucher that a reseller sold: one of any
-- organisation, so it is asked with the owner's eyes, and tells no more than yes or no (rule R1).
CREATE FUNCTION voucher_of_reseller_v1(
    p_customer_id bigint, p_entitlement_id bigint, p_payment_id bigint
) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT 1 FROM voucher v JOIN voucher_batch b ON b.batch_id = v.batch_id
        WHERE v.customer_id = p_customer_id AND v.state IN ('active', 'redeemed')
          AND (v.entitlement_id = p_entitlement_id OR v.payment_id = p_payment_id)
          AND v.reseller_sale_id IS NOT NULL AND b.plan_version_id IS NOT NULL)
$$;

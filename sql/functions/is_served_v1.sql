-- Whether the meter lets a subscription go on at p_now: a package with something left, or
-- pay-as-you-go with a wallet above its limit and its spending cap, or a monthly service (S6, S7, P8,
-- P14, B19). Every other cause of table S is Python's (rules.states).
CREATE FUNCTION is_served_v1(p_customer_id bigint, p_subscription_id bigint, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT 1 FROM entitlement e
        WHERE e.customer_id = p_customer_id AND e.subscription_id = p_subscription_id
          AND e.ended_at IS NULL AND e.valid_from <= p_now
          AND (e.valid_until IS NULL OR e.valid_until > p_now)
    ) OR (
        SELECT CASE
            WHEN v.payg_octet_step IS NOT NULL OR v.payg_second_step IS NOT NULL THEN
                w.posted_micros - w.unposted_micros - w.reserved_micros + w.credit_limit_micros
                -- What a promise to pay lends, until it ends (B19).
                + CASE WHEN w.promised_until > p_now THEN w.promised_micros ELSE 0 END > 0
                -- A cap of a month that is over binds nobody.
                AND (w.cap_floor_micros IS NULL OR w.cap_until <= p_now
                     OR w.posted_micros - w.unposted_micros > w.cap_floor_micros)
            ELSE NOT s.requires_entitlement END
        FROM subscription s
        LEFT JOIN plan_version v ON v.plan_version_id = s.plan_version_id
        JOIN wallet w ON w.customer_id = s.customer_id AND w.wallet_id = s.wallet_id
        WHERE s.customer_id = p_customer_id AND s.subscription_id = p_subscription_id
    );
END $$;

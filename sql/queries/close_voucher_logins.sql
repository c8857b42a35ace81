-- Nobody will log in by these vouchers: the packages that waited for it end, and the subscribers with
-- them. The customers are locked.
WITH one AS (
    SELECT v.customer_id, v.subscription_id, v.entitlement_id FROM voucher v
    WHERE v.serial = ANY (%(serials)s) AND v.login_name IS NOT NULL
),
ended AS (
    UPDATE entitlement e SET ended_at = %(now)s FROM one o
    WHERE e.customer_id = o.customer_id AND e.entitlement_id = o.entitlement_id
),
closed AS (
    UPDATE subscription s SET closed_at = %(now)s FROM one o
    WHERE s.customer_id = o.customer_id AND s.subscription_id = o.subscription_id
)
UPDATE customer c SET closed_at = %(now)s FROM one o WHERE c.customer_id = o.customer_id

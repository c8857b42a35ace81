-- Subscribers of vouchers that may log in (rule R3), as these are sold: a customer, its wallet, a
-- subscription under the voucher's serial number, and a package that waits for the first login, up to the
-- voucher's expiry at the latest.
WITH one AS MATERIALIZED (
    SELECT v.batch_id, v.serial, v.org_id, v.expires_at, b.profile_id, b.plan_version_id, b.face_micros,
        b.currency, b.session_limit,
        concat('voucher-', lpad(v.serial::text, greatest(8, length(v.serial::text)), '0')) AS name,
        nextval(pg_get_serial_sequence('customer', 'customer_id')) AS customer_id,
        nextval(pg_get_serial_sequence('wallet', 'wallet_id')) AS wallet_id,
        nextval(pg_get_serial_sequence('subscription', 'subscription_id')) AS subscription_id,
        nextval(pg_get_serial_sequence('entitlement', 'entitlement_id')) AS entitlement_id
    FROM voucher v JOIN voucher_batch b ON b.batch_id = v.batch_id
    WHERE v.batch_id = %(batch_id)s AND v.serial = ANY (%(serials)s)
),
customers AS (
    INSERT INTO customer (customer_id, org_id, profile_id, name, created_at)
    SELECT customer_id, org_id, profile_id, name, %(now)s FROM one
),
wallets AS (
    INSERT INTO wallet (customer_id, wallet_id, org_id, currency, credit_limit_micros, created_at)
    SELECT customer_id, wallet_id, org_id, currency, 0, %(now)s FROM one
),
logins AS (
    INSERT INTO login (username, customer_id, subscription_id, org_id)
    SELECT name, customer_id, subscription_id, org_id FROM one
),
subscriptions AS (
    INSERT INTO subscription (customer_id, subscription_id, org_id, username, wallet_id,
        plan_version_id, requires_entitlement, session_limit, created_at, has_tariff_windows)
    SELECT customer_id, subscription_id, org_id, name, wallet_id, plan_version_id, true,
        session_limit, %(now)s,
        EXISTS (SELECT FROM plan_version p
                WHERE p.plan_version_id = one.plan_version_id AND p.tariff_windows IS NOT NULL)
    FROM one
),
entitlements AS (
    INSERT INTO entitlement (customer_id, entitlement_id, org_id, subscription_id, plan_version_id,
        use_order, follows, validity_minutes, valid_until, seconds_total, seconds_left, octets_total,
        octets_left, price_micros, purchased_at, rolls_over)
    SELECT o.customer_id, o.entitlement_id, o.org_id, o.subscription_id, o.plan_version_id, p.use_order,
        false, p.validity_minutes, o.expires_at, p.seconds, p.seconds, p.octets, p.octets,
        o.face_micros, %(now)s, p.rolls_over
    FROM one o JOIN plan_version p ON p.plan_version_id = o.plan_version_id
)
UPDATE voucher v SET customer_id = o.customer_id, subscription_id = o.subscription_id,
    entitlement_id = o.entitlement_id, login_name = o.name
FROM one o WHERE v.batch_id = o.batch_id AND v.serial = o.serial

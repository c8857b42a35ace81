-- The identities. The sweep looks at each when its package ends; without sessions there is
-- nothing to bring in line before.
INSERT INTO subscription (customer_id, subscription_id, org_id, username, wallet_id,
                          plan_version_id, requires_entitlement, secret_sealed, framed_ip,
                          allowed_macs, created_at, service_next_change_at, has_tariff_windows)
SELECT customer_id, subscription_id, %(org_id)s, username, wallet_id, plan_version_id,
       requires_entitlement, secret_sealed, framed_ip, allowed_macs, %(now)s, valid_until,
       EXISTS (SELECT FROM plan_version v
               WHERE v.plan_version_id = import_row.plan_version_id AND v.tariff_windows IS NOT NULL)
FROM import_row

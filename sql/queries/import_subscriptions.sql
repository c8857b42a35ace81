-- The identities. The sweep looks at each when its package ends; without sessions there is
-- nothing to bring in line before.
INSERT INTO subscription (customer_id, subscription_id, org_id, username, wallet_id,
                          plan_version_id, requires_entitlement, secret_sealed, framed_ip,
                          allowed_macs, created_at, service_next_change_at)
SELECT customer_id, subscription_id, %(org_id)s, username, wallet_id, plan_version_id,
       requires_entitlement, secret_sealed, framed_ip, allowed_macs, %(now)s, valid_until
FROM import_row

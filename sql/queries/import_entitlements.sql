-- What a subscriber has left from before; no money moves for it.
INSERT INTO entitlement (customer_id, entitlement_id, org_id, subscription_id, plan_version_id,
                         use_order, follows, validity_minutes, valid_from, valid_until, seconds_total,
                         seconds_left, octets_total, octets_left, price_micros, purchased_at,
                         rolls_over)
SELECT customer_id, entitlement_id, %(org_id)s, subscription_id, plan_version_id,
       (SELECT v.use_order FROM plan_version v WHERE v.plan_version_id = import_row.plan_version_id),
       false, NULL, %(now)s, valid_until, seconds_left,
       seconds_left, octets_left, octets_left, 0, %(now)s,
       (SELECT v.rolls_over FROM plan_version v WHERE v.plan_version_id = import_row.plan_version_id)
FROM import_row WHERE entitlement_id IS NOT NULL

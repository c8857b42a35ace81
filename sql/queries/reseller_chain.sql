-- A reseller and those above it, as they are after the lock.
SELECT depth, org_id, parent_org_id, customer_id, wallet_id, currency, cost_micros, below_parent,
    spendable_micros, alert_below_micros, closed_at
FROM reseller_chain_v1(%(org_id)s, %(plan_id)s)

-- What was posted before stays as it was: paid from the wallet when it was used, on no bill.
UPDATE daily_usage SET posted_seconds = seconds, posted_octets = input_octets + output_octets
WHERE kind = 'payg' AND posted_micros <> 0;
INSERT INTO usage_charge (customer_id, org_id, subscription_id, wallet_id, local_day, tariff_window,
    seconds, octets, gross_micros, tax_micros, to_bill)
SELECT u.customer_id, u.org_id, u.subscription_id, s.wallet_id, u.local_day, u.tariff_window,
    sum(u.posted_seconds), sum(u.posted_octets), sum(u.posted_micros), 0, false
FROM daily_usage u
JOIN subscription s ON s.customer_id = u.customer_id AND s.subscription_id = u.subscription_id
WHERE u.posted_micros <> 0
GROUP BY u.customer_id, u.org_id, u.subscription_id, s.wallet_id, u.local_day, u.tariff_window;

ALTER TABLE usage_charge ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON usage_charge TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON usage_charge TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
GRANT SELECT, INSERT ON usage_charge TO tollway_panel, tollway_worker;
-- A piece never changes; only the bill that holds it is noted, and forgotten when that is void.
GRANT UPDATE (invoice_id, to_bill) ON usage_charge TO tollway_panel, tollway_worker;
GRANT SELECT ON usage_charge TO tollway_readonly;
-- Bills are issued, and profiles changed, from the panel, too: what was used is posted first.
GRANT UPDATE (posted_micros, posted_seconds, posted_octets) ON daily_usage
    TO tollway_panel, tollway_worker;
GRANT SELECT (posted_seconds, posted_octets) ON daily_usage TO tollway_readonly;
GRANT SELECT (usage_micros) ON invoice_line TO tollway_readonly;
GRANT SELECT (packages_until) ON subscription TO tollway_readonly;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;

-- The worker parks and takes back; the panel reads its own organisations'.
ALTER TABLE parked_customer ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON parked_customer TO tollway_worker, tollway_readonly
    USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON parked_customer TO tollway_panel
    USING (customer_id IN (SELECT customer_id FROM customer));
GRANT SELECT, INSERT, UPDATE, DELETE ON parked_customer TO tollway_worker;
GRANT SELECT ON parked_customer TO tollway_panel, tollway_readonly;
GRANT SELECT (bills_from) ON billing_profile TO tollway_readonly;

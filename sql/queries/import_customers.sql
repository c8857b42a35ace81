-- One customer a subscriber.
INSERT INTO customer (customer_id, org_id, profile_id, name, email, phone, created_at)
SELECT customer_id, %(org_id)s, profile_id, name, email, phone, %(now)s FROM import_row

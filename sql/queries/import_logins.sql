-- The user names; a taken one stops the import.
INSERT INTO login (username, customer_id, subscription_id, org_id)
SELECT username, customer_id, subscription_id, %(org_id)s FROM import_row

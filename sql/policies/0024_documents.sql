-- What stands on bills; the worker may write organisations and customers already.
GRANT SELECT (postal_address, tax_id) ON organisation, customer TO tollway_readonly;

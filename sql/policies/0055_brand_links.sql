-- A reseller's owner says whom the mails of its customers come from; the name of the organisation stays
-- with who is above it.
GRANT UPDATE (mail_from, mail_name) ON organisation TO tollway_panel;
CREATE POLICY no_change_by_cashier ON organisation AS RESTRICTIVE FOR UPDATE TO tollway_panel
    USING (NOT (SELECT is_cashier_v1()));
GRANT SELECT (mail_name, brand_key) ON organisation TO tollway_readonly;
REVOKE EXECUTE ON FUNCTION brand_of_key_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION brand_of_key_v1 TO tollway_panel, tollway_worker;

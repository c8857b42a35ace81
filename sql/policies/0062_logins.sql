-- Attempts with a user name that nobody has belong to no organisation: the operator's staff reads them
-- (rule A3). Customers and resellers do not.
REVOKE EXECUTE ON FUNCTION is_operator_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_operator_v1 TO tollway_panel, tollway_worker;
CREATE POLICY of_nobody ON login_attempt FOR SELECT TO tollway_panel
    USING (org_id IS NULL AND (SELECT is_operator_v1()));

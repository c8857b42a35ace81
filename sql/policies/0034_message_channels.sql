REVOKE EXECUTE ON FUNCTION message_channels_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION message_channels_v1 TO tollway_panel, tollway_worker;
-- What is too old to be of use is removed.
GRANT DELETE ON message, ledger_check TO tollway_worker;
GRANT SELECT (alert_numbers) ON customer TO tollway_readonly;

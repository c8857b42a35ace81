-- Dead letters are the operator's to read (radius.md F5), and old ones are removed by a function only.
CREATE POLICY operator ON acct_dead_letter FOR SELECT TO tollway_panel
    USING ((SELECT is_operator_v1()));
GRANT SELECT ON acct_dead_letter TO tollway_panel;
REVOKE EXECUTE ON FUNCTION drop_old_letters_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_old_letters_v1 TO tollway_worker;

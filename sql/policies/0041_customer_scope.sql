-- Requests of a customer run as the panel, within its organisation, and within these: whatever the
-- statement, no row of another customer is read or written (security.md 7). They are restrictive, so
-- they take away from what the organisation would show, and nothing can add to them. A table that is
-- made later needs its own; tests/integration/test_policies.py asks for it.
ALTER TABLE customer_session ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON customer_session TO tollway_worker USING (true) WITH CHECK (true);
CREATE POLICY own_organisations ON customer_session TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
-- A browser says whose session it has; which organisation that is, only the session tells.
CREATE POLICY own_session ON customer_session FOR SELECT TO tollway_panel
    USING (customer_id = (SELECT visible_customer_id_v1()));
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_session TO tollway_panel, tollway_worker;

ALTER TABLE customer_throttle ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON customer_throttle TO tollway_worker USING (true) WITH CHECK (true);
CREATE POLICY customer_login ON customer_throttle TO tollway_panel
    USING (current_setting('tollway.customer_login', true) = 'on')
    WITH CHECK (current_setting('tollway.customer_login', true) = 'on');
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_throttle TO tollway_panel, tollway_worker;

REVOKE EXECUTE ON FUNCTION visible_customer_id_v1, customer_login_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION visible_customer_id_v1 TO tollway_panel, tollway_worker;
GRANT EXECUTE ON FUNCTION customer_login_v1 TO tollway_panel;

DO $$
DECLARE
    v_table text;
BEGIN
    -- Rows of customers: the own ones.
    FOR v_table IN
        SELECT c.table_name FROM information_schema.columns c
        JOIN pg_class t ON t.relname = c.table_name AND t.relkind IN ('r', 'p') AND NOT t.relispartition
        WHERE c.table_schema = 'public' AND t.relnamespace = 'public'::regnamespace
          AND c.column_name = 'customer_id' AND c.table_name NOT LIKE 'procrastinate%'
    LOOP
        EXECUTE format('CREATE POLICY one_customer ON %I AS RESTRICTIVE TO tollway_panel '
                       'USING ((SELECT visible_customer_id_v1()) IS NULL '
                       'OR customer_id = (SELECT visible_customer_id_v1())) '
                       'WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL '
                       'OR customer_id = (SELECT visible_customer_id_v1()))', v_table);
    END LOOP;
    -- Rows of staff and of the network: none.
    FOREACH v_table IN ARRAY ARRAY['staff', 'enrolment', 'staff_session', 'staff_throttle', 'nas',
        'address_pool', 'message_template', 'ledger_check', 'login_throttle', 'acct_dead_letter',
        'suspense', 'voucher_batch', 'voucher_guess', 'reseller', 'reseller_cost', 'reseller_retail',
        'shift', 'bank_account']
    LOOP
        EXECUTE format('CREATE POLICY no_customer ON %I AS RESTRICTIVE TO tollway_panel '
                       'USING ((SELECT visible_customer_id_v1()) IS NULL) '
                       'WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL)', v_table);
    END LOOP;
    -- What is sold, how it is billed and by whom: to read.
    FOREACH v_table IN ARRAY ARRAY['billing_profile', 'plan', 'plan_version', 'organisation',
        'operator', 'invoice_design', 'dunning_step', 'gateway']
    LOOP
        EXECUTE format('CREATE POLICY no_new_by_customer ON %I AS RESTRICTIVE FOR INSERT TO tollway_panel '
                       'WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL)', v_table);
        EXECUTE format('CREATE POLICY no_change_by_customer ON %I AS RESTRICTIVE FOR UPDATE TO tollway_panel '
                       'USING ((SELECT visible_customer_id_v1()) IS NULL)', v_table);
        EXECUTE format('CREATE POLICY no_removal_by_customer ON %I AS RESTRICTIVE FOR DELETE TO tollway_panel '
                       'USING ((SELECT visible_customer_id_v1()) IS NULL)', v_table);
    END LOOP;
END $$;

-- A reseller's cashier sells, and that is all (rules R1, R4). The policies are restrictive: they take
-- away from what the organisation would show, whatever the statement. What a sale moves in the accounts
-- is written by functions of the owner's, which these do not bind.
DO $$
DECLARE
    v_table text;
BEGIN
    -- Who works there, what a plan costs the reseller's customers, and where its own money goes.
    FOREACH v_table IN ARRAY ARRAY['staff', 'enrolment', 'staff_session', 'reseller_share',
                                   'reseller_transfer', 'reseller_request', 'reseller_voucher_share']
    LOOP
        EXECUTE format('CREATE POLICY no_cashier ON %I AS RESTRICTIVE TO tollway_panel '
                       'USING (NOT (SELECT is_cashier_v1())) '
                       'WITH CHECK (NOT (SELECT is_cashier_v1()))', v_table);
    END LOOP;
    FOREACH v_table IN ARRAY ARRAY['reseller_cost', 'reseller_retail', 'billing_profile', 'plan',
                                   'plan_version', 'message_template', 'invoice_design', 'voucher_batch']
    LOOP
        EXECUTE format('CREATE POLICY no_new_by_cashier ON %I AS RESTRICTIVE FOR INSERT TO tollway_panel '
                       'WITH CHECK (NOT (SELECT is_cashier_v1()))', v_table);
        EXECUTE format('CREATE POLICY no_change_by_cashier ON %I AS RESTRICTIVE FOR UPDATE TO tollway_panel '
                       'USING (NOT (SELECT is_cashier_v1()))', v_table);
    END LOOP;
    EXECUTE 'CREATE POLICY no_removal_by_cashier ON invoice_design AS RESTRICTIVE FOR DELETE '
            'TO tollway_panel USING (NOT (SELECT is_cashier_v1()))';
    EXECUTE 'CREATE POLICY no_change_by_cashier ON reseller AS RESTRICTIVE FOR UPDATE TO tollway_panel '
            'USING (NOT (SELECT is_cashier_v1()))';
    -- The journal of the reseller's account tells costs and margins.
    FOREACH v_table IN ARRAY ARRAY['journal_entry', 'posting'] LOOP
        EXECUTE format('CREATE POLICY no_account_for_cashier ON %I AS RESTRICTIVE FOR SELECT TO tollway_panel '
                       'USING (NOT (SELECT is_cashier_v1()) OR NOT is_account_v1(customer_id))', v_table);
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION is_cashier_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_cashier_v1 TO tollway_panel, tollway_worker;

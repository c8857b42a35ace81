-- A reseller's account is written to by three functions only, whatever the panel does: sales at cost,
-- undoing them, transfers by who is above (rules R1, R2). The panel can neither lock nor change the
-- account's row, nor its wallet, nor add to its journal; and a reseller's own staff takes no money by
-- hand but for its own wallet's.
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['reseller', 'reseller_cost', 'reseller_retail', 'reseller_sale',
                                   'reseller_share', 'reseller_transfer', 'reseller_request',
                                   'reseller_voucher_sale', 'reseller_voucher_share', 'shift',
                                   'shift_entry'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY everything ON %I TO tollway_worker, tollway_readonly '
                       'USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('CREATE POLICY own_organisations ON %I TO tollway_panel '
                       'USING (org_id = ANY (visible_org_ids_v1())) '
                       'WITH CHECK (org_id = ANY (visible_org_ids_v1()))', v_table);
        EXECUTE format('GRANT SELECT ON %I TO tollway_panel, tollway_worker, tollway_readonly', v_table);
    END LOOP;
    FOREACH v_table IN ARRAY ARRAY['wallet', 'journal_entry', 'posting', 'payment', 'subscription',
                                   'entitlement', 'invoice'] LOOP
        EXECUTE format('CREATE POLICY no_account_added ON %I AS RESTRICTIVE FOR INSERT '
                       'TO tollway_panel WITH CHECK (NOT is_account_v1(customer_id))', v_table);
    END LOOP;
    FOREACH v_table IN ARRAY ARRAY['wallet', 'customer'] LOOP
        EXECUTE format('CREATE POLICY no_account_changed ON %I AS RESTRICTIVE FOR UPDATE '
                       'TO tollway_panel USING (NOT is_account_v1(customer_id)) '
                       'WITH CHECK (NOT is_account_v1(customer_id))', v_table);
    END LOOP;
END $$;
-- What a reseller's staff takes in, it owes: by hand it comes as the reseller's own money.
CREATE POLICY no_money_by_hand ON payment AS RESTRICTIVE FOR INSERT TO tollway_panel
    WITH CHECK (channel NOT IN ('cash', 'bank_transfer', 'adjustment')
                OR NOT sells_from_wallet_v1(org_id));

-- What is above decides what is paid and how much may be had.
CREATE POLICY from_above ON reseller AS RESTRICTIVE FOR UPDATE TO tollway_panel
    USING (NOT sells_from_wallet_v1(org_id)) WITH CHECK (NOT sells_from_wallet_v1(org_id));
CREATE POLICY from_above ON reseller_cost AS RESTRICTIVE FOR INSERT TO tollway_panel
    WITH CHECK (NOT sells_from_wallet_v1(org_id));
CREATE POLICY from_above ON reseller_request AS RESTRICTIVE FOR UPDATE TO tollway_panel
    USING (NOT sells_from_wallet_v1(org_id)) WITH CHECK (NOT sells_from_wallet_v1(org_id));
CREATE POLICY asked ON reseller_request AS RESTRICTIVE FOR INSERT TO tollway_panel
    WITH CHECK (state = 'pending');
GRANT INSERT ON reseller TO tollway_worker;
GRANT UPDATE (undo_minutes, max_customers, closed_at) ON reseller TO tollway_panel, tollway_worker;
GRANT INSERT ON reseller_cost, reseller_retail, reseller_request TO tollway_panel, tollway_worker;
GRANT UPDATE (state, decided_at, decided_by, answer, transfer_id) ON reseller_request
    TO tollway_panel, tollway_worker;

-- A reseller's voucher is worth something only with a sale from its wallet, which functions alone write.
CREATE POLICY made_in_stock ON voucher AS RESTRICTIVE FOR INSERT TO tollway_panel
    WITH CHECK (state = 'created' AND reseller_sale_id IS NULL);
CREATE POLICY paid_by_its_reseller ON voucher AS RESTRICTIVE FOR UPDATE TO tollway_panel USING (true)
    WITH CHECK (state NOT IN ('active', 'redeemed') OR reseller_sale_id IS NOT NULL
                OR org_id NOT IN (SELECT r.org_id FROM reseller r));
GRANT SELECT (reseller_sale_id) ON voucher TO tollway_readonly;

-- Shifts are opened and closed by whoever takes money; what was taken never changes (rule R4).
GRANT INSERT ON shift, shift_entry TO tollway_panel, tollway_worker;
GRANT UPDATE (closed_at, closed_by, counted_micros, expected_micros, note, handed_to, handed_at,
    deposit_reference, deposited_at) ON shift TO tollway_panel, tollway_worker;

-- A reseller reads the plans that it was given a price for, and changes none of them.
CREATE POLICY on_the_price_list ON plan FOR SELECT TO tollway_panel
    USING (plan_id IN (SELECT c.plan_id FROM reseller_cost c));
DROP POLICY own_organisations ON plan_version;
CREATE POLICY own_organisations ON plan_version TO tollway_panel
    USING (plan_id IN (SELECT p.plan_id FROM plan p WHERE p.org_id = ANY (visible_org_ids_v1())))
    WITH CHECK (plan_id IN (SELECT p.plan_id FROM plan p WHERE p.org_id = ANY (visible_org_ids_v1())));
CREATE POLICY on_the_price_list ON plan_version FOR SELECT TO tollway_panel
    USING (plan_id IN (SELECT c.plan_id FROM reseller_cost c));

REVOKE EXECUTE ON FUNCTION may_act_for_v1, is_account_v1, sells_from_wallet_v1, reseller_chain_v1,
    lock_accounts_v1, post_account_entry_v1, post_reseller_sale_v1, undo_reseller_sale_v1,
    post_reseller_transfer_v1, watch_account_v1, sell_reseller_vouchers_v1,
    take_back_reseller_vouchers_v1, move_reseller_voucher_v1, voucher_of_reseller_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION may_act_for_v1, is_account_v1, sells_from_wallet_v1, reseller_chain_v1,
    lock_accounts_v1, post_reseller_sale_v1, undo_reseller_sale_v1, post_reseller_transfer_v1,
    watch_account_v1, sell_reseller_vouchers_v1, take_back_reseller_vouchers_v1,
    move_reseller_voucher_v1, voucher_of_reseller_v1 TO tollway_panel, tollway_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;

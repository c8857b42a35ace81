-- What customers of resellers buy themselves, and what these earn by it, is written by functions only (rule
-- R1); a customer sees its own purchases and nobody's earnings, a reseller's cashier no earnings either.
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['self_purchase', 'self_purchase_share'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY everything ON %I TO tollway_worker, tollway_readonly '
                       'USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('CREATE POLICY own_organisations ON %I TO tollway_panel '
                       'USING (org_id = ANY (visible_org_ids_v1())) '
                       'WITH CHECK (org_id = ANY (visible_org_ids_v1()))', v_table);
        EXECUTE format('CREATE POLICY one_customer ON %I AS RESTRICTIVE TO tollway_panel '
                       'USING ((SELECT visible_customer_id_v1()) IS NULL '
                       'OR customer_id = (SELECT visible_customer_id_v1())) '
                       'WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL '
                       'OR customer_id = (SELECT visible_customer_id_v1()))', v_table);
        EXECUTE format('GRANT SELECT ON %I TO tollway_panel, tollway_worker, tollway_readonly', v_table);
    END LOOP;
END $$;
CREATE POLICY no_cashier ON self_purchase_share AS RESTRICTIVE TO tollway_panel
    USING (NOT (SELECT is_cashier_v1())) WITH CHECK (NOT (SELECT is_cashier_v1()));

-- A customer reads the plans that its reseller sells, as those of its own organisation.
CREATE POLICY of_its_reseller ON plan FOR SELECT TO tollway_panel
    USING (plan_id = ANY ((SELECT plans_of_customer_v1())::bigint[]));
CREATE POLICY of_its_reseller ON plan_version FOR SELECT TO tollway_panel
    USING (plan_id = ANY ((SELECT plans_of_customer_v1())::bigint[]));
GRANT UPDATE (earns_on_self_service) ON reseller TO tollway_panel, tollway_worker;
REVOKE EXECUTE ON FUNCTION earns_on_self_service_v1, self_service_list_v1, plans_of_customer_v1,
    post_self_purchase_v1, take_back_self_purchase_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION earns_on_self_service_v1, self_service_list_v1, plans_of_customer_v1,
    post_self_purchase_v1, take_back_self_purchase_v1 TO tollway_panel, tollway_worker;

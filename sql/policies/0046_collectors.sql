-- Collectors' receipts are the organisation's; each is entered once and never changes but for the
-- settlement that it is handed over in (rule R4).
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['receipt_book', 'paper_receipt', 'collector_settlement'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY everything ON %I TO tollway_worker, tollway_readonly '
                       'USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('CREATE POLICY own_organisations ON %I TO tollway_panel '
                       'USING (org_id = ANY (visible_org_ids_v1())) '
                       'WITH CHECK (org_id = ANY (visible_org_ids_v1()))', v_table);
        EXECUTE format('CREATE POLICY no_customer ON %I AS RESTRICTIVE TO tollway_panel '
                       'USING ((SELECT visible_customer_id_v1()) IS NULL) '
                       'WITH CHECK ((SELECT visible_customer_id_v1()) IS NULL)', v_table);
        EXECUTE format('CREATE POLICY no_cashier ON %I AS RESTRICTIVE TO tollway_panel '
                       'USING (NOT (SELECT is_cashier_v1())) '
                       'WITH CHECK (NOT (SELECT is_cashier_v1()))', v_table);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO tollway_panel, tollway_worker', v_table);
        EXECUTE format('GRANT SELECT ON %I TO tollway_readonly', v_table);
    END LOOP;
END $$;
GRANT UPDATE (closed_at) ON receipt_book TO tollway_panel, tollway_worker;
GRANT UPDATE (settlement_id) ON paper_receipt TO tollway_panel, tollway_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_worker;

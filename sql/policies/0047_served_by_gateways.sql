-- A reseller's staff begins payments by the gateways of those above it, as its customers do: it reads the
-- row, whose secrets are sealed, and changes nothing of it.
CREATE POLICY served ON gateway FOR SELECT TO tollway_panel
    USING ((SELECT visible_customer_id_v1()) IS NULL AND NOT (SELECT is_cashier_v1())
           AND org_id IN (SELECT organisations_over_v1()));
REVOKE EXECUTE ON FUNCTION is_reseller_v1, organisations_over_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_reseller_v1, organisations_over_v1 TO tollway_panel, tollway_worker;

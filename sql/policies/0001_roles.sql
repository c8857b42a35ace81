-- Who may do what (security.md 7 and 14). The roles are made at bootstrap; they are cluster-wide.
--   panel     sees only rows of the organisations named in the transaction (tollway.org_ids)
--   radius    the hooks: may call three functions and touch what these touch, no ledger
--   worker    jobs and the command line: sees everything, may not rewrite history
--   readonly  reports: no secrets
-- Append-only for everybody: journal_entry, posting, acct_journal, audit_log, coa_attempt.

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO tollway_panel, tollway_radius, tollway_worker, tollway_readonly;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;

-- Organisations visible in this transaction; no setting means none.
CREATE FUNCTION visible_org_ids_v1() RETURNS bigint[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT string_to_array(NULLIF(current_setting('tollway.org_ids', true), ''), ',')::bigint[] $$;

DO $$
DECLARE
    v_table text;
BEGIN
    -- Row-level security on every table; the tables' owner (migrations) is not bound.
    FOR v_table IN
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT c.relispartition AND c.relname <> 'schema_version'
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY everything ON %I TO tollway_worker, tollway_radius, '
                       'tollway_readonly USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO tollway_worker', v_table);
    END LOOP;

    -- The panel sees rows of its organisations only. Key figures of the row are its org_id.
    FOR v_table IN
        SELECT table_name FROM information_schema.columns
        WHERE table_schema = 'public' AND column_name = 'org_id'
          AND table_name IN (SELECT relname FROM pg_class
                             WHERE relkind IN ('r', 'p') AND NOT relispartition)
          AND table_name NOT IN ('staff', 'invoice_series')
    LOOP
        EXECUTE format('CREATE POLICY own_organisations ON %I TO tollway_panel '
                       'USING (org_id = ANY (visible_org_ids_v1())) '
                       'WITH CHECK (org_id = ANY (visible_org_ids_v1()))', v_table);
        EXECUTE format('GRANT SELECT ON %I TO tollway_panel', v_table);
    END LOOP;
END $$;

-- Tables whose organisation is another row's.
CREATE POLICY own_organisations ON plan_version TO tollway_panel
    USING (plan_id IN (SELECT plan_id FROM plan)) WITH CHECK (plan_id IN (SELECT plan_id FROM plan));
CREATE POLICY own_organisations ON command TO tollway_panel
    USING (customer_id IN (SELECT customer_id FROM customer))
    WITH CHECK (customer_id IN (SELECT customer_id FROM customer));
CREATE POLICY own_organisations ON invoice_series TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())) WITH CHECK (org_id = ANY (visible_org_ids_v1()));
CREATE POLICY anyone ON operator FOR SELECT TO tollway_panel USING (true);
-- At login nobody's organisation is known yet: billing.store.staff says so for its own look-ups.
CREATE POLICY own_organisations ON staff TO tollway_panel
    USING (org_id = ANY (visible_org_ids_v1())
           OR current_setting('tollway.staff_login', true) = 'on')
    WITH CHECK (org_id = ANY (visible_org_ids_v1())
                OR current_setting('tollway.staff_login', true) = 'on');
CREATE POLICY own_organisations ON enrolment TO tollway_panel
    USING (staff_id IN (SELECT staff_id FROM staff))
    WITH CHECK (staff_id IN (SELECT staff_id FROM staff));
CREATE POLICY own_organisations ON staff_session TO tollway_panel
    USING (staff_id IN (SELECT staff_id FROM staff))
    WITH CHECK (staff_id IN (SELECT staff_id FROM staff));
CREATE POLICY staff_login ON staff_throttle TO tollway_panel
    USING (current_setting('tollway.staff_login', true) = 'on')
    WITH CHECK (current_setting('tollway.staff_login', true) = 'on');
-- A login needs the tree below the person's own organisation.
CREATE POLICY staff_login ON organisation FOR SELECT TO tollway_panel
    USING (current_setting('tollway.staff_login', true) = 'on');

GRANT SELECT, INSERT, UPDATE, DELETE ON staff_session, staff_throttle
    TO tollway_panel, tollway_worker;
GRANT SELECT ON operator, plan_version, command, invoice_series, staff, enrolment TO tollway_panel;
GRANT INSERT ON billing_profile, plan, plan_version, customer, login, subscription, entitlement,
    wallet, journal_entry, posting, command, invoice_series, invoice, invoice_line, payment,
    payment_allocation, nas, coa_intent, anomaly, audit_log, staff, enrolment TO tollway_panel;
GRANT UPDATE ON billing_profile, plan, customer, login, subscription, entitlement, wallet, nas,
    invoice_series, live_session, coa_intent, staff, enrolment TO tollway_panel, tollway_worker;
GRANT UPDATE (paid_micros, paid_at) ON invoice TO tollway_panel, tollway_worker;

GRANT UPDATE ON operator, organisation, login_throttle TO tollway_worker;
GRANT DELETE ON live_session, login_throttle TO tollway_worker;

-- The hooks: what load_access_v1, record_logins_v1 and charge_usage_v1 read and write, no more.
GRANT SELECT ON operator, organisation, billing_profile, plan, plan_version, customer, login,
    subscription, entitlement, wallet, invoice, nas, live_session, daily_usage, login_throttle,
    coa_intent TO tollway_radius;
GRANT INSERT ON live_session, acct_journal, acct_dead_letter, daily_usage, coa_intent,
    login_attempt, login_throttle, anomaly TO tollway_radius;
GRANT UPDATE ON live_session, daily_usage, login_throttle TO tollway_radius;
GRANT UPDATE (seconds_left, octets_left, valid_from, valid_until, ended_at) ON entitlement
    TO tollway_radius;
GRANT UPDATE (unposted_micros) ON wallet TO tollway_radius;
GRANT UPDATE (service_rule, service_next_change_at) ON subscription TO tollway_radius;
-- A row lock needs an UPDATE grant on some column; this one never changes.
GRANT UPDATE (customer_id) ON customer TO tollway_radius;
GRANT DELETE ON login_throttle TO tollway_radius;

GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO tollway_worker;
GRANT EXECUTE ON FUNCTION visible_org_ids_v1 TO tollway_panel, tollway_radius, tollway_readonly;
GRANT EXECUTE ON FUNCTION load_access_v1, record_logins_v1, charge_usage_v1, load_client_v1,
    plan_chain_v1, is_served_v1, cut_unserved_v1, close_nas_sessions_v1, day_shares_v1 TO tollway_radius;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tollway_panel, tollway_radius, tollway_worker;

-- Reports see everything but secrets.
DO $$
DECLARE
    v_table text;
    v_columns text;
BEGIN
    FOR v_table, v_columns IN
        SELECT table_name, string_agg(quote_ident(column_name), ', ')
        FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name NOT IN ('enrolment', 'staff_session', 'staff_throttle')
          AND table_name IN (SELECT relname FROM pg_class
                             WHERE relkind IN ('r', 'p') AND NOT relispartition)
          AND column_name NOT IN ('secret_sealed', 'nt_hash', 'pbkdf2', 'password',
                                  'session_token', 'totp_secret_sealed')
        GROUP BY table_name
    LOOP
        EXECUTE format('GRANT SELECT (%s) ON %I TO tollway_readonly', v_columns, v_table);
    END LOOP;
END $$;

"""What each database role may see and do (security.md 7 and 14, radius.md F16)."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from billing.settings import ROLES, Settings
from tests.integration.filler import columns, fill, insert, own_tables

OURS, THEIRS = 2, 3
# Of no organisation: for the operator's staff (test_searches), or for the hooks alone.
UNSEEN_BY_PANEL = {"acct_dead_letter", "login_throttle"}
THROTTLES = {"staff_throttle", "customer_throttle"}
# Of the panel's tables, those that a customer reads although no row is its own.
READ_BY_CUSTOMERS = {
    "audit_log",
    "billing_profile",
    "dunning_step",
    "gateway",
    "hearing",
    "invoice_design",
    "invoice_series",
    "operator",
    "organisation",
    "organisation_letterhead",
    "plan",
    "plan_version",
}
APPEND_ONLY = (
    "journal_entry",
    "posting",
    "payment",
    "payment_allocation",
    "command",
    "invoice_line",
    "organisation_letterhead",
    "customer_letterhead",
    "acct_journal",
    "acct_dead_letter",
    "anomaly",
    "login_attempt",
    "audit_log",
    "coa_attempt",
    "plan_version",
    "write_off",
    "dunning_event",
    "reseller_cost",
    "reseller_retail",
    "reseller_transfer",
    "suspense_move",
    "self_purchase_share",
)
MONEY_AND_STAFF = (
    "journal_entry",
    "posting",
    "command",
    "payment",
    "payment_allocation",
    "invoice_line",
    "invoice_series",
    "staff",
    "staff_session",
    "enrolment",
    "audit_log",
    "coa_attempt",
    "session_history",
)
SECRETS = (
    ("subscription", "secret_sealed"),
    ("subscription", "nt_hash"),
    ("subscription", "pbkdf2"),
    ("nas", "secret_sealed"),
    ("staff", "password"),
    ("staff", "session_token"),
    ("staff", "totp_secret_sealed"),
    ("voucher", "code_hmac"),
    ("voucher_batch", "codes_sealed"),
    ("gateway", "secrets_sealed"),
    ("gateway", "hook_token"),
    ("provider_event", "body"),
    ("sepa_mandate", "iban_sealed"),
    ("voucher_key", "key_sealed"),
    ("sepa_file", "body_sealed"),
    ("hotspot", "uam_secret_sealed"),
    ("hotspot_order", "code_sealed"),
    ("hotspot_order", "token_sha256"),
)


@pytest.fixture(scope="module")
def admin(settings: Settings) -> Iterator[psycopg.Connection]:
    """The superuser, in a database with a row of two organisations in every table."""
    with psycopg.connect(settings.admin_dsn(settings.database_name), autocommit=True) as db:
        for org_id in (OURS, THEIRS):
            fill(db, org_id)
        yield db


@pytest.fixture
def panel(settings: Settings, admin: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """The panel, in a transaction that may see OURS."""
    with psycopg.connect(settings.dsn("panel")) as db:
        db.execute("SELECT set_config('tollway.org_ids', %s, true)", (str(OURS),))
        yield db
        db.rollback()


def _count(db: psycopg.Connection, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    row = db.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _may(admin: psycopg.Connection, role: str, table: str, privilege: str) -> bool:
    """Whether a role holds a privilege on a table or on any of its columns."""
    row = admin.execute(
        "SELECT has_table_privilege(%(role)s, %(table)s, %(privilege)s) OR"
        " CASE WHEN %(privilege)s IN ('DELETE', 'TRUNCATE') THEN false"
        " ELSE has_any_column_privilege(%(role)s, %(table)s,"
        "  CASE WHEN %(privilege)s IN ('DELETE', 'TRUNCATE') THEN 'SELECT'"
        "  ELSE %(privilege)s END) END",
        {"role": f"tollway_{role}", "table": table, "privilege": privilege},
    ).fetchone()
    assert row is not None
    return bool(row[0])


@pytest.mark.rule("F16")
def test_every_table_is_guarded(admin: psycopg.Connection) -> None:
    rows = admin.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition AND NOT relrowsecurity"
        " AND relname NOT LIKE 'procrastinate%' AND relname <> 'schema_version'"
    ).fetchall()
    assert rows == []


@pytest.mark.rule("F16", "R2")
def test_panel_sees_its_organisations_only_on_every_table(
    admin: psycopg.Connection, panel: psycopg.Connection
) -> None:
    tables = set(own_tables(admin)) - UNSEEN_BY_PANEL - THROTTLES
    assert {table: _count(admin, table) for table in tables if _count(admin, table) < 2} == {}
    assert {table: _count(panel, table) for table in tables} == dict.fromkeys(tables, 1)
    assert _count(panel, "organisation") == 1
    row = panel.execute("SELECT customer_id, org_id FROM customer").fetchone()
    assert row == (OURS * 1000, OURS)


@pytest.mark.rule("F16")
def test_panel_without_a_setting_sees_nothing(
    settings: Settings, admin: psycopg.Connection
) -> None:
    tables = {*own_tables(admin), "organisation"} - UNSEEN_BY_PANEL
    with psycopg.connect(settings.dsn("panel")) as db:
        assert {table: _count(db, table) for table in tables} == dict.fromkeys(tables, 0)


@pytest.mark.rule("F16")
def test_panel_sees_only_the_staff_tables_at_login(
    settings: Settings, admin: psycopg.Connection
) -> None:
    with psycopg.connect(settings.dsn("panel")) as db:
        db.execute("SELECT set_config('tollway.staff_login', 'on', true)")
        seen = {table for table in own_tables(admin) if table not in UNSEEN_BY_PANEL}
        seen = {table for table in seen if _count(db, table) > 0}
    assert seen == {"staff", "staff_session", "staff_throttle", "enrolment"}


@pytest.mark.rule("F16", "R2")
def test_panel_cannot_write_rows_of_others(
    admin: psycopg.Connection, panel: psycopg.Connection
) -> None:
    tried = 0
    for table in own_tables(admin):
        if not _may(admin, "panel", table, "INSERT"):
            continue
        statement, values = insert(admin, table, THEIRS, number=1)
        with pytest.raises(psycopg.errors.InsufficientPrivilege), panel.transaction():
            panel.execute(statement, values)
        tried += 1
    assert tried >= 20


@pytest.mark.rule("F16", "R2")
def test_panel_cannot_give_rows_away_or_touch_those_of_others(
    admin: psycopg.Connection, panel: psycopg.Connection
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), panel.transaction():
        panel.execute("UPDATE customer SET org_id = %s", (THEIRS,))
    for table in ("customer", "subscription", "wallet", "entitlement", "nas", "live_session"):
        query = sql.SQL("UPDATE {} SET org_id = org_id").format(sql.Identifier(table))
        assert panel.execute(query).rowcount == 1


@pytest.fixture
def customer(settings: Settings, admin: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """The panel for one customer of OURS, and as if it might see both organisations."""
    with psycopg.connect(settings.dsn("panel")) as db:
        db.execute("SELECT set_config('tollway.org_ids', %s, true)", (f"{OURS},{THEIRS}",))
        db.execute("SELECT set_config('tollway.customer_id', %s, true)", (str(OURS * 1000),))
        yield db
        db.rollback()


@pytest.mark.rule("F16")
def test_a_customer_sees_its_own_rows_only_on_every_table(
    admin: psycopg.Connection, customer: psycopg.Connection
) -> None:
    tables = set(own_tables(admin)) - UNSEEN_BY_PANEL - THROTTLES
    owned = {one for one in tables if any(c.name == "customer_id" for c in columns(admin)[one])}
    assert len(owned) >= 30
    # What is nobody's yet, where a customer may come later, is not a customer's to see; nor is what
    # collectors have in their books.
    nobodys = (
        "bank_import",
        "paper_receipt",
        "pool_address",
        "provider_event",
        "suspense_move",
        "voucher",
    )
    expected = dict.fromkeys(owned, 1) | dict.fromkeys(nobodys, 0)
    assert {table: _count(customer, table) for table in owned} == expected
    others = {table: _count(customer, table) for table in tables - owned - READ_BY_CUSTOMERS}
    assert others == dict.fromkeys(others, 0)
    row = customer.execute("SELECT customer_id FROM customer").fetchone()
    assert row == (OURS * 1000,)


@pytest.mark.rule("F16")
def test_a_customer_cannot_write_rows_of_others_nor_what_is_sold(
    admin: psycopg.Connection, customer: psycopg.Connection
) -> None:
    tried = 0
    for table in own_tables(admin):
        if not _may(admin, "panel", table, "INSERT"):
            continue
        if table in ("audit_log", "invoice_series", "organisation_letterhead"):
            continue  # of the organisation; a purchase writes them
        statement, values = insert(admin, table, THEIRS, number=2)
        with pytest.raises(psycopg.errors.InsufficientPrivilege), customer.transaction():
            customer.execute(statement, values)
        tried += 1
    assert tried >= 20
    for table in ("customer", "subscription", "wallet", "entitlement", "live_session"):
        query = sql.SQL("UPDATE {} SET org_id = org_id").format(sql.Identifier(table))
        assert customer.execute(query).rowcount == 1
    for table in ("plan", "billing_profile", "staff", "nas"):
        query = sql.SQL("UPDATE {} SET org_id = org_id").format(sql.Identifier(table))
        assert customer.execute(query).rowcount == 0
    for table in ("customer_session", "invoice_design", "dunning_step", "pool_address"):
        before = _count(admin, table)
        query = sql.SQL("DELETE FROM {}").format(sql.Identifier(table))
        with customer.transaction(force_rollback=True):
            gone = customer.execute(query).rowcount
        assert gone == (1 if table == "customer_session" else 0), table
        assert _count(admin, table) == before


@pytest.mark.rule("F16")
@pytest.mark.parametrize("role", [role for role in ROLES if role != "owner"])
def test_partitions_are_reached_through_their_parent_only(
    admin: psycopg.Connection, role: str
) -> None:
    """A policy binds the table that is named in the statement: a partition has none."""
    rows = admin.execute("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")
    names = [row[0] for row in rows]
    assert len(names) > 10
    assert [name for name in names if _may(admin, role, name, "SELECT")] == []


@pytest.mark.rule("M4", "U11")
@pytest.mark.parametrize("role", [role for role in ROLES if role != "owner"])
def test_history_can_only_be_added_to(admin: psycopg.Connection, role: str) -> None:
    allowed = [
        (table, privilege)
        for table in APPEND_ONLY
        for privilege in ("UPDATE", "DELETE", "TRUNCATE")
        if _may(admin, role, table, privilege)
    ]
    assert allowed == []


@pytest.mark.rule("I2")
@pytest.mark.parametrize("role", ["panel", "worker"])
def test_issued_invoices_change_in_what_was_paid_only(
    settings: Settings, admin: psycopg.Connection, role: str
) -> None:
    with psycopg.connect(settings.dsn(role)) as db:
        db.execute("SELECT set_config('tollway.org_ids', %s, true)", (str(OURS),))
        db.execute("UPDATE invoice SET paid_micros = 0, paid_at = now() WHERE org_id = %s", (OURS,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("UPDATE invoice SET total_micros = 1")
        db.rollback()


def test_hooks_have_no_access_to_ledger_and_staff(admin: psycopg.Connection) -> None:
    privileges = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
    allowed = [
        (table, privilege)
        for table in MONEY_AND_STAFF
        for privilege in privileges
        if _may(admin, "radius", table, privilege)
    ]
    assert allowed == []


def test_hooks_read_counters_of_the_journal_and_nothing_else(settings: Settings) -> None:
    with psycopg.connect(settings.dsn("radius"), autocommit=True) as db:
        db.execute("SELECT session_seconds, input_octets, output_octets FROM acct_journal LIMIT 0")
        for column in ("raw", "charged_micros", "acct_session_id", "anomalies"):
            query = sql.SQL("SELECT {} FROM acct_journal").format(sql.Identifier(column))
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(query)


def test_hooks_change_no_balance_credential_or_price(
    settings: Settings, admin: psycopg.Connection
) -> None:
    for statement in (
        "UPDATE wallet SET posted_micros = 0",
        "UPDATE wallet SET credit_limit_micros = 0",
        "UPDATE subscription SET secret_sealed = NULL",
        "UPDATE subscription SET plan_version_id = NULL",
        "UPDATE entitlement SET seconds_total = 0",
        "UPDATE customer SET name = ''",
        "UPDATE plan_version SET price_micros = 0",
        "DELETE FROM live_session",
        "INSERT INTO entitlement SELECT * FROM entitlement",
    ):
        with (
            psycopg.connect(settings.dsn("radius")) as db,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            db.execute(statement)


def test_reports_see_everything_but_secrets(settings: Settings, admin: psycopg.Connection) -> None:
    hidden = {"enrolment", "staff_session", "customer_session", *THROTTLES}
    with psycopg.connect(settings.dsn("readonly"), autocommit=True) as db:
        for table, column in SECRETS:
            query = sql.SQL("SELECT {} FROM {}").format(
                sql.Identifier(column), sql.Identifier(table)
            )
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(query)
        for table in set(own_tables(admin)) - hidden:
            assert _count(db, table) >= 2
            for column in columns(admin)[table]:
                if (table, column.name) not in SECRETS:
                    name = sql.Identifier(column.name)
                    look = sql.SQL("SELECT {} FROM {} LIMIT 0").format(name, sql.Identifier(table))
                    db.execute(look)
        for table in hidden:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                _count(db, table)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("UPDATE customer SET name = ''")


def test_no_other_column_looks_like_a_secret(admin: psycopg.Connection) -> None:
    """A new secret column must be added to SECRETS and to the roles."""
    rows = admin.execute(
        "SELECT c.table_name, c.column_name FROM information_schema.columns c"
        " JOIN pg_class t ON t.relname = c.table_name AND NOT t.relispartition"
        " WHERE c.table_schema = 'public' AND c.table_name NOT LIKE 'procrastinate%'"
        " AND (c.data_type = 'bytea' OR c.column_name ~ 'secret|password|hash|token|pbkdf2')"
        " AND c.table_name NOT IN ('enrolment', 'staff_session', 'customer_session')"
    ).fetchall()
    assert set(rows) == set(SECRETS)


FUNCTIONS = {
    ("panel", "radius", "readonly"): {"visible_org_ids_v1"},
    ("panel", "radius"): {
        "heard_since_v1",
        "pool_leases_v1",
        "reservable_v1",
    },
    ("panel",): {
        "brand_of_key_v1",
        "customer_login_v1",
        "earns_on_self_service_v1",
        "enter_paper_receipt_v1",
        "gateway_of_hook_v1",
        "hotspot_by_key_v1",
        "ipv6_taken_v1",
        "is_account_v1",
        "is_cashier_v1",
        "is_operator_v1",
        "is_reseller_v1",
        "lock_accounts_v1",
        "may_act_for_v1",
        "message_channels_v1",
        "move_reseller_voucher_v1",
        "organisation_of_voucher_v1",
        "organisations_above_v1",
        "organisations_over_v1",
        "plans_of_customer_v1",
        "post_reseller_sale_v1",
        "post_reseller_transfer_v1",
        "post_self_purchase_v1",
        "reseller_chain_v1",
        "self_service_list_v1",
        "sell_reseller_vouchers_v1",
        "sells_from_wallet_v1",
        "take_back_reseller_vouchers_v1",
        "take_back_self_purchase_v1",
        "undo_reseller_sale_v1",
        "visible_customer_id_v1",
        "voucher_of_reseller_v1",
        "watch_account_v1",
    },
    ("radius",): {
        "admit_logins_v1",
        "charge_usage_v1",
        "close_nas_sessions_v1",
        "cut_unserved_v1",
        "day_shares_v1",
        "end_taken_over_v1",
        "find_grant_v1",
        "hear_v1",
        "is_served_v1",
        "lease_address_v1",
        "load_access_v1",
        "load_client_v1",
        "local_instant_v1",
        "look_closer_v1",
        "note_overspend_v1",
        "note_wallet_overspend_v1",
        "order_change_v1",
        "plan_chain_v1",
        "post_grant_v1",
        "reclaim_addresses_v1",
        "record_logins_v1",
        "settle_grants_v1",
        "take_grant_v1",
        "take_slot_v1",
        "tariff_pieces_v1",
        "tighten_v1",
        "top_up_v1",
        "unwrapped_v1",
        "use_up_grant_v1",
        "window_charges_v1",
        "window_micros_v1",
        "window_slices_v1",
        "windowed_usage_v1",
    },
}
"""Functions by the roles that may call them; the worker may call all."""


def test_functions_are_for_who_needs_them(admin: psycopg.Connection) -> None:
    rows = admin.execute(
        "SELECT p.proname, array(SELECT r FROM unnest(%s::text[]) WITH ORDINALITY AS x(r, place)"
        " WHERE has_function_privilege('tollway_' || r, p.oid, 'EXECUTE') ORDER BY place)"
        " FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace"
        " AND p.proname NOT LIKE 'procrastinate%%'",
        (["panel", "radius", "readonly"],),
    ).fetchall()
    found: dict[tuple[str, ...], set[str]] = {}
    for name, roles in rows:
        if roles:
            found.setdefault(tuple(roles), set()).add(name)
    assert found == FUNCTIONS


def test_definers_rights_come_with_a_fixed_search_path(admin: psycopg.Connection) -> None:
    rows = admin.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
        " AND NOT COALESCE(proconfig::text LIKE '%search_path=public, pg_temp%', false)"
    ).fetchall()
    assert rows == []


def test_nobody_may_create_in_the_schema(admin: psycopg.Connection) -> None:
    rows = admin.execute(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'tollway%' AND rolname <> 'tollway_owner'"
        " AND (has_schema_privilege(rolname, 'public', 'CREATE') OR rolsuper OR rolbypassrls)"
    ).fetchall()
    assert rows == []

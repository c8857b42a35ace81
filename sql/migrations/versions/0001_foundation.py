"""Tables, row-level security, grants and functions of the foundation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing.store.migrate import run_sql_file

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

FUNCTIONS = (
    "ensure_partitions_v1",
    "load_client_v1",
    "load_access_v1",
    "plan_chain_v1",
    "record_logins_v1",
    "is_served_v1",
    "cut_unserved_v1",
    "close_nas_sessions_v1",
    "day_shares_v1",
    "charge_usage_v1",
)


def upgrade() -> None:
    op.create_table(
        "acct_dead_letter",
        sa.Column("letter_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("arrived_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("nas_address", postgresql.INET(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("letter_id", name=op.f("acct_dead_letter_pkey")),
    )
    op.create_table(
        "acct_journal",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("session_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("arrived_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("record_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=True),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("nas_id", sa.BigInteger(), nullable=False),
        sa.Column("acct_session_id", sa.Text(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("event_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("session_seconds", sa.BigInteger(), nullable=True),
        sa.Column("input_octets", sa.BigInteger(), nullable=True),
        sa.Column("output_octets", sa.BigInteger(), nullable=True),
        sa.Column("added_seconds", sa.BigInteger(), nullable=False),
        sa.Column("added_input_octets", sa.BigInteger(), nullable=False),
        sa.Column("added_output_octets", sa.BigInteger(), nullable=False),
        sa.Column("charged_micros", sa.BigInteger(), nullable=False),
        sa.Column("plan_version_id", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("anomalies", sa.Text(), nullable=True),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint(
            "customer_id", "session_id", "arrived_at", "record_id", name=op.f("acct_journal_pkey")
        ),
        postgresql_partition_by="RANGE (arrived_at)",
    )
    op.create_table(
        "anomaly",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("anomaly_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=True),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("nas_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "anomaly_id", name=op.f("anomaly_pkey")),
    )
    op.create_index("anomaly_at_idx", "anomaly", ["at"], unique=False)
    op.create_table(
        "coa_attempt",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("intent_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("packet", sa.Text(), nullable=False),
        sa.Column("sent_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("answered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error_cause", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint(
            "customer_id", "intent_id", "attempt", name=op.f("coa_attempt_pkey")
        ),
    )
    op.create_table(
        "coa_intent",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("intent_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("nas_id", sa.BigInteger(), nullable=False),
        sa.Column("goal", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("next_attempt_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "goal IN ('disconnect', 'suspend', 'restore', 'refresh')",
            name=op.f("coa_intent_goal_check"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'acked', 'confirmed', 'failed', 'cancelled')",
            name=op.f("coa_intent_state_check"),
        ),
        sa.PrimaryKeyConstraint("customer_id", "intent_id", name=op.f("coa_intent_pkey")),
    )
    op.create_index(
        "coa_intent_due_idx",
        "coa_intent",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'acked')"),
    )
    op.create_index(
        "coa_intent_session_idx", "coa_intent", ["customer_id", "session_id"], unique=False
    )
    op.create_table(
        "daily_usage",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("session_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("entitlement_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("plan_version_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.Column("input_octets", sa.BigInteger(), nullable=False),
        sa.Column("output_octets", sa.BigInteger(), nullable=False),
        sa.Column("charged_micros", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('entitlement', 'payg', 'flat', 'overspend')",
            name=op.f("daily_usage_kind_check"),
        ),
        sa.PrimaryKeyConstraint(
            "customer_id",
            "session_id",
            "local_day",
            "kind",
            "entitlement_id",
            "plan_version_id",
            name=op.f("daily_usage_pkey"),
        ),
        postgresql_with={"fillfactor": 60},
    )
    op.create_index(
        "daily_usage_day_idx",
        "daily_usage",
        ["customer_id", "subscription_id", "local_day"],
        unique=False,
    )
    op.create_table(
        "live_session",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("session_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("nas_id", sa.BigInteger(), nullable=False),
        sa.Column("acct_session_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("last_event_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("last_arrival_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("terminate_cause", sa.Text(), nullable=True),
        sa.Column("session_seconds", sa.BigInteger(), nullable=False),
        sa.Column("input_octets", sa.BigInteger(), nullable=False),
        sa.Column("output_octets", sa.BigInteger(), nullable=False),
        sa.Column("input_wraps", sa.SmallInteger(), nullable=False),
        sa.Column("output_wraps", sa.SmallInteger(), nullable=False),
        sa.Column("input_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("output_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("has_gigawords", sa.Boolean(), nullable=False),
        sa.Column("charged_micros", sa.BigInteger(), nullable=False),
        sa.Column("payg_version_id", sa.BigInteger(), nullable=True),
        sa.Column("payg_seconds", sa.BigInteger(), nullable=False),
        sa.Column("payg_octets", sa.BigInteger(), nullable=False),
        sa.Column("payg_micros", sa.BigInteger(), nullable=False),
        sa.Column("framed_ip", postgresql.INET(), nullable=True),
        sa.Column("framed_ipv6_prefix", sa.Text(), nullable=True),
        sa.Column("framed_ipv6_address", sa.Text(), nullable=True),
        sa.Column("delegated_ipv6_prefix", sa.Text(), nullable=True),
        sa.Column("framed_interface_id", sa.Text(), nullable=True),
        sa.Column("calling_station", sa.Text(), nullable=True),
        sa.Column("called_station", sa.Text(), nullable=True),
        sa.Column("nas_port_id", sa.Text(), nullable=True),
        sa.Column("session_class", sa.Text(), nullable=True),
        sa.Column("cut_requested_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("customer_id", "session_id", name=op.f("live_session_pkey")),
        sa.UniqueConstraint(
            "customer_id",
            "subscription_id",
            "nas_id",
            "acct_session_id",
            "epoch",
            name="live_session_identity_key",
        ),
        postgresql_with={"fillfactor": 60},
    )
    op.create_index(
        "live_session_open_idx",
        "live_session",
        ["nas_id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "login_attempt",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=True),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("nas_id", sa.BigInteger(), nullable=False),
        sa.Column("calling_station", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "customer_id", "username", "at", "attempt_id", name=op.f("login_attempt_pkey")
        ),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_table(
        "login_throttle",
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("calling_station", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("window_started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("username", "calling_station", name=op.f("login_throttle_pkey")),
    )
    op.create_table(
        "operator",
        sa.Column("operator_id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("operator_id = 1", name=op.f("operator_single_row_check")),
        sa.PrimaryKeyConstraint("operator_id", name=op.f("operator_pkey")),
    )
    op.create_table(
        "organisation",
        sa.Column("org_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("parent_org_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["parent_org_id"], ["organisation.org_id"], name=op.f("organisation_parent_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", name=op.f("organisation_pkey")),
    )
    op.create_index(
        op.f("organisation_parent_org_id_idx"), "organisation", ["parent_org_id"], unique=False
    )
    op.create_table(
        "session_history",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("session_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("nas_id", sa.BigInteger(), nullable=False),
        sa.Column("acct_session_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("last_event_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("last_arrival_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("terminate_cause", sa.Text(), nullable=True),
        sa.Column("session_seconds", sa.BigInteger(), nullable=False),
        sa.Column("input_octets", sa.BigInteger(), nullable=False),
        sa.Column("output_octets", sa.BigInteger(), nullable=False),
        sa.Column("input_wraps", sa.SmallInteger(), nullable=False),
        sa.Column("output_wraps", sa.SmallInteger(), nullable=False),
        sa.Column("input_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("output_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("has_gigawords", sa.Boolean(), nullable=False),
        sa.Column("charged_micros", sa.BigInteger(), nullable=False),
        sa.Column("payg_version_id", sa.BigInteger(), nullable=True),
        sa.Column("payg_seconds", sa.BigInteger(), nullable=False),
        sa.Column("payg_octets", sa.BigInteger(), nullable=False),
        sa.Column("payg_micros", sa.BigInteger(), nullable=False),
        sa.Column("framed_ip", postgresql.INET(), nullable=True),
        sa.Column("framed_ipv6_prefix", sa.Text(), nullable=True),
        sa.Column("framed_ipv6_address", sa.Text(), nullable=True),
        sa.Column("delegated_ipv6_prefix", sa.Text(), nullable=True),
        sa.Column("framed_interface_id", sa.Text(), nullable=True),
        sa.Column("calling_station", sa.Text(), nullable=True),
        sa.Column("called_station", sa.Text(), nullable=True),
        sa.Column("nas_port_id", sa.Text(), nullable=True),
        sa.Column("session_class", sa.Text(), nullable=True),
        sa.Column("cut_requested_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint(
            "customer_id", "session_id", "started_at", name=op.f("session_history_pkey")
        ),
        postgresql_partition_by="RANGE (started_at)",
    )
    op.create_index(
        "session_history_subscription_idx",
        "session_history",
        ["customer_id", "subscription_id", "started_at"],
        unique=False,
    )
    op.create_table(
        "staff_throttle",
        sa.Column("throttle_key", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("window_started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("throttle_key", name=op.f("staff_throttle_pkey")),
    )
    op.create_table(
        "audit_log",
        sa.Column("audit_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous_sha256", sa.Text(), nullable=False),
        sa.Column("row_sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("audit_log_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("audit_log_pkey")),
    )
    op.create_index(op.f("audit_log_org_id_idx"), "audit_log", ["org_id"], unique=False)
    op.create_table(
        "billing_profile",
        sa.Column("profile_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payment", sa.Text(), nullable=False),
        sa.Column("automatic_bill", sa.Boolean(), nullable=False),
        sa.Column("automatic_suspend", sa.Boolean(), nullable=False),
        sa.Column("cycle_ends_with_month", sa.Boolean(), nullable=False),
        sa.Column("cycle_day", sa.SmallInteger(), nullable=False),
        sa.Column("due_basis", sa.Text(), nullable=False),
        sa.Column("due_days", sa.SmallInteger(), nullable=False),
        sa.Column("bill_in", sa.Text(), nullable=False),
        sa.Column("suspend_at_hour", sa.SmallInteger(), nullable=False),
        sa.Column("no_cut_weekdays", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("no_cut_dates", postgresql.ARRAY(sa.Date()), nullable=False),
        sa.Column("suspended_pool", sa.Text(), nullable=True),
        sa.Column("credit_limit_micros", sa.BigInteger(), nullable=False),
        sa.Column("tax_rate_ppm", sa.Integer(), nullable=False),
        sa.Column("tax_inclusive", sa.Boolean(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("archived_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('daily', 'monthly')", name=op.f("billing_profile_kind_check")),
        sa.CheckConstraint(
            "payment IN ('prepaid', 'postpaid')", name=op.f("billing_profile_payment_check")
        ),
        sa.CheckConstraint(
            "cycle_day BETWEEN 1 AND 31", name=op.f("billing_profile_cycle_day_check")
        ),
        sa.CheckConstraint(
            "suspend_at_hour BETWEEN 0 AND 23", name=op.f("billing_profile_suspend_at_hour_check")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("billing_profile_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("profile_id", name=op.f("billing_profile_pkey")),
        sa.UniqueConstraint("org_id", "name", name=op.f("billing_profile_org_id_name_key")),
    )
    op.create_index(op.f("billing_profile_org_id_idx"), "billing_profile", ["org_id"], unique=False)
    op.create_table(
        "invoice_series",
        sa.Column("org_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("next_number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("invoice_series_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "series", name=op.f("invoice_series_pkey")),
    )
    op.create_index(op.f("invoice_series_org_id_idx"), "invoice_series", ["org_id"], unique=False)
    op.create_table(
        "login",
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("login_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("username", name=op.f("login_pkey")),
    )
    op.create_index(op.f("login_org_id_idx"), "login", ["org_id"], unique=False)
    op.create_table(
        "nas",
        sa.Column("nas_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", postgresql.INET(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("coa_port", sa.Integer(), nullable=False),
        sa.Column("swap_octets", sa.Boolean(), nullable=False),
        sa.Column("require_message_authenticator", sa.Boolean(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("coa_port BETWEEN 1 AND 65535", name=op.f("nas_coa_port_check")),
        sa.ForeignKeyConstraint(["org_id"], ["organisation.org_id"], name=op.f("nas_org_id_fkey")),
        sa.PrimaryKeyConstraint("nas_id", name=op.f("nas_pkey")),
        sa.UniqueConstraint("address", name=op.f("nas_address_key")),
        sa.UniqueConstraint("org_id", "name", name=op.f("nas_org_id_name_key")),
    )
    op.create_index(op.f("nas_org_id_idx"), "nas", ["org_id"], unique=False)
    op.create_table(
        "plan",
        sa.Column("plan_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("archived_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["org_id"], ["organisation.org_id"], name=op.f("plan_org_id_fkey")),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("plan_pkey")),
        sa.UniqueConstraint("org_id", "name", name=op.f("plan_org_id_name_key")),
    )
    op.create_index(op.f("plan_org_id_idx"), "plan", ["org_id"], unique=False)
    op.create_table(
        "staff",
        sa.Column("staff_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("session_token", sa.Text(), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("totp_secret_sealed", sa.Text(), nullable=True),
        sa.Column("two_factor_method", sa.Text(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("totp_last_counter", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("staff_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("staff_pkey")),
        sa.UniqueConstraint("email", name=op.f("staff_email_key")),
        sa.UniqueConstraint("session_token", name=op.f("staff_session_token_key")),
    )
    op.create_index(op.f("staff_org_id_idx"), "staff", ["org_id"], unique=False)
    op.create_table(
        "customer",
        sa.Column("customer_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), server_default="en", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("discontinue_on", sa.Date(), nullable=True),
        sa.Column("promise_until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("customer_org_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["billing_profile.profile_id"], name=op.f("customer_profile_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("customer_pkey")),
    )
    op.create_index(op.f("customer_org_id_idx"), "customer", ["org_id"], unique=False)
    op.create_table(
        "enrolment",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.staff_id"], name=op.f("enrolment_staff_id_fkey")
        ),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("enrolment_pkey")),
    )
    op.create_table(
        "plan_version",
        sa.Column("plan_version_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("effective_from", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("validity_minutes", sa.BigInteger(), nullable=True),
        sa.Column("validity_months", sa.BigInteger(), nullable=True),
        sa.Column("starts", sa.Text(), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=True),
        sa.Column("octets", sa.BigInteger(), nullable=True),
        sa.Column("speed_up_kbps", sa.BigInteger(), nullable=True),
        sa.Column("speed_down_kbps", sa.BigInteger(), nullable=True),
        sa.Column("pool", sa.Text(), nullable=True),
        sa.Column("pay_only_pool", sa.Text(), nullable=True),
        sa.Column("interim_seconds", sa.Integer(), nullable=False),
        sa.Column("idle_timeout_seconds", sa.BigInteger(), nullable=True),
        sa.Column("payg_octet_step", sa.BigInteger(), nullable=True),
        sa.Column("payg_octet_step_micros", sa.BigInteger(), nullable=True),
        sa.Column("payg_second_step", sa.BigInteger(), nullable=True),
        sa.Column("payg_second_step_micros", sa.BigInteger(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(payg_octet_step IS NULL) = (payg_octet_step_micros IS NULL) AND (payg_second_step IS NULL) = (payg_second_step_micros IS NULL)",
            name=op.f("plan_version_payg_pairs_check"),
        ),
        sa.CheckConstraint(
            "payg_octet_step > 0 AND payg_octet_step_micros >= 0",
            name=op.f("plan_version_payg_octets_check"),
        ),
        sa.CheckConstraint(
            "payg_second_step > 0 AND payg_second_step_micros >= 0",
            name=op.f("plan_version_payg_seconds_check"),
        ),
        sa.CheckConstraint("price_micros >= 0", name=op.f("plan_version_price_check")),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.plan_id"], name=op.f("plan_version_plan_id_fkey")
        ),
        sa.PrimaryKeyConstraint("plan_version_id", name=op.f("plan_version_pkey")),
        sa.UniqueConstraint("plan_id", "version", name=op.f("plan_version_plan_id_version_key")),
    )
    op.create_table(
        "staff_session",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.staff_id"], name=op.f("staff_session_staff_id_fkey")
        ),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("staff_session_pkey")),
    )
    op.create_index(op.f("staff_session_staff_id_idx"), "staff_session", ["staff_id"], unique=False)
    op.create_table(
        "command",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("command_customer_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "idempotency_key", name=op.f("command_pkey")),
    )
    op.create_table(
        "entitlement",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entitlement_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("plan_version_id", sa.BigInteger(), nullable=False),
        sa.Column("follows", sa.Boolean(), nullable=False),
        sa.Column("validity_minutes", sa.BigInteger(), nullable=True),
        sa.Column("valid_from", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("valid_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("seconds_total", sa.BigInteger(), nullable=True),
        sa.Column("seconds_left", sa.BigInteger(), nullable=True),
        sa.Column("octets_total", sa.BigInteger(), nullable=True),
        sa.Column("octets_left", sa.BigInteger(), nullable=True),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("purchased_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("octets_left >= 0", name=op.f("entitlement_octets_left_check")),
        sa.CheckConstraint("seconds_left >= 0", name=op.f("entitlement_seconds_left_check")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("entitlement_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("entitlement_org_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_version.plan_version_id"],
            name=op.f("entitlement_plan_version_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("customer_id", "entitlement_id", name=op.f("entitlement_pkey")),
    )
    op.create_index(
        "entitlement_open_idx",
        "entitlement",
        ["customer_id", "subscription_id"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(op.f("entitlement_org_id_idx"), "entitlement", ["org_id"], unique=False)
    op.create_table(
        "invoice",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=True),
        sa.Column("issued_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("cycle_from", sa.Date(), nullable=True),
        sa.Column("cycle_until", sa.Date(), nullable=True),
        sa.Column("total_micros", sa.BigInteger(), nullable=False),
        sa.Column("paid_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("paid_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "paid_micros BETWEEN 0 AND total_micros", name=op.f("invoice_paid_check")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("invoice_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("invoice_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "invoice_id", name=op.f("invoice_pkey")),
    )
    op.create_index("invoice_number_idx", "invoice", ["number"], unique=False)
    op.create_index(op.f("invoice_org_id_idx"), "invoice", ["org_id"], unique=False)
    op.create_index(
        "invoice_subscription_idx", "invoice", ["customer_id", "subscription_id"], unique=False
    )
    op.create_table(
        "invoice_line",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("tax_rate_ppm", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("invoice_line_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("invoice_line_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint(
            "customer_id", "invoice_id", "line", name=op.f("invoice_line_pkey")
        ),
    )
    op.create_index(op.f("invoice_line_org_id_idx"), "invoice_line", ["org_id"], unique=False)
    op.create_table(
        "journal_entry",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("memo", sa.Text(), nullable=False),
        sa.Column("corrects_entry_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("journal_entry_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("journal_entry_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "entry_id", name=op.f("journal_entry_pkey")),
    )
    op.create_index(op.f("journal_entry_org_id_idx"), "journal_entry", ["org_id"], unique=False)
    op.create_table(
        "payment",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payment_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("received_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("amount_micros > 0", name=op.f("payment_amount_check")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("payment_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("payment_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "payment_id", name=op.f("payment_pkey")),
    )
    op.create_index(op.f("payment_org_id_idx"), "payment", ["org_id"], unique=False)
    op.create_table(
        "payment_allocation",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("amount_micros > 0", name=op.f("payment_allocation_amount_check")),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.customer_id"],
            name=op.f("payment_allocation_customer_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("payment_allocation_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint(
            "customer_id", "invoice_id", "entry_id", name=op.f("payment_allocation_pkey")
        ),
    )
    op.create_index(
        op.f("payment_allocation_org_id_idx"), "payment_allocation", ["org_id"], unique=False
    )
    op.create_table(
        "posting",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), nullable=True),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.CheckConstraint("amount_micros <> 0", name=op.f("posting_amount_check")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("posting_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("posting_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "entry_id", "line", name=op.f("posting_pkey")),
    )
    op.create_index("posting_account_idx", "posting", ["customer_id", "account"], unique=False)
    op.create_index(op.f("posting_org_id_idx"), "posting", ["org_id"], unique=False)
    op.create_table(
        "subscription",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=True),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("plan_version_id", sa.BigInteger(), nullable=True),
        sa.Column("requires_entitlement", sa.Boolean(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("nt_hash", sa.LargeBinary(), nullable=True),
        sa.Column("pbkdf2", sa.Text(), nullable=True),
        sa.Column("framed_ip", postgresql.INET(), nullable=True),
        sa.Column("speed_up_kbps", sa.BigInteger(), nullable=True),
        sa.Column("speed_down_kbps", sa.BigInteger(), nullable=True),
        sa.Column("allowed_nas_ids", postgresql.ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("allowed_macs", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("login_hours", sa.Text(), nullable=True),
        sa.Column("session_limit", sa.BigInteger(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("hold_note", sa.Text(), nullable=True),
        sa.Column("hold_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("hold_behaviour", sa.Text(), nullable=True),
        sa.Column("paused_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("service_rule", sa.Text(), server_default="S8", nullable=False),
        sa.Column("service_checked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("service_next_change_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "hold_behaviour IS NULL OR hold_behaviour IN ('reject', 'suspended_pool')",
            name=op.f("subscription_hold_behaviour_check"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("subscription_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("subscription_org_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_version.plan_version_id"],
            name=op.f("subscription_plan_version_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["billing_profile.profile_id"],
            name=op.f("subscription_profile_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("customer_id", "subscription_id", name=op.f("subscription_pkey")),
    )
    op.create_index(op.f("subscription_org_id_idx"), "subscription", ["org_id"], unique=False)
    op.create_index(
        "subscription_service_next_change_idx",
        "subscription",
        ["service_next_change_at"],
        unique=False,
        postgresql_where=sa.text("service_next_change_at IS NOT NULL"),
    )
    op.create_index("subscription_username_idx", "subscription", ["username"], unique=False)
    op.create_table(
        "wallet",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("posted_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unposted_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("reserved_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("credit_limit_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("credit_limit_micros >= 0", name=op.f("wallet_credit_limit_check")),
        sa.CheckConstraint("reserved_micros >= 0", name=op.f("wallet_reserved_check")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("wallet_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("wallet_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "wallet_id", name=op.f("wallet_pkey")),
    )
    op.create_index(op.f("wallet_org_id_idx"), "wallet", ["org_id"], unique=False)
    for parent in ("acct_journal", "login_attempt", "session_history"):
        op.execute(f"CREATE TABLE {parent}_default PARTITION OF {parent} DEFAULT")
    for function in FUNCTIONS:
        run_sql_file(f"functions/{function}.sql")
    run_sql_file("policies/0001_roles.sql")

"""Payments by gateways, auto-recharge, prepayment invoices, money in suspense (rules P1, P5, P7)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing.store.migrate import replace_function, run_sql_file

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_KINDS = (
    "kind IN ('low_balance', 'exhausted', 'restored', 'invoice_issued', 'reminder',"
    " 'suspended', 'recharge_failed', 'voucher_receipt', 'credit_note', 'statement',"
    " 'allowance_used', 'price_notice', 'payment_received', 'prepayment_due')"
)


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    """To the column of the same name."""
    name = op.f(f"{table}_{column}_fkey")
    return sa.ForeignKeyConstraint([column], [f"{target}.{column}"], name=name)


def _indexed(
    table: str, name: str, columns: list[str], where: str | None = None, unique: bool = False
) -> None:
    chosen = None if where is None else sa.text(where)
    op.create_index(f"{table}_{name}", table, columns, unique=unique, postgresql_where=chosen)


def upgrade() -> None:
    _gateway()
    _payment_method()
    _payment_attempt()
    _payment_reversal()
    _provider_event()
    _suspense()
    _suspense_move()
    _auto_recharge()
    _prepayment()
    _prepayment_invoice()
    # The meter wakes the sweep below the alert (P6), or at the threshold of auto-recharge (P7).
    op.add_column("wallet", sa.Column("look_below_micros", sa.BigInteger()))
    op.execute("UPDATE wallet SET look_below_micros = alert_below_micros")
    replace_function("cut_unserved_v1")
    for table in ("message", "message_template"):
        name = op.f(f"{table}_kind_check")
        op.drop_constraint(name, table)
        op.create_check_constraint(name, table, _KINDS)
    run_sql_file("functions/gateway_of_hook_v1.sql")
    run_sql_file("policies/0037_payments.sql")


def _gateway() -> None:
    op.create_table(
        "gateway",
        sa.Column("gateway_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("adapter", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column(
            "settings", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("secrets_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("hook_token", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True)),
        _refers("gateway", "org_id", "organisation"),
        sa.PrimaryKeyConstraint("gateway_id", name=op.f("gateway_pkey")),
        sa.UniqueConstraint("hook_token", name=op.f("gateway_hook_token_key")),
        sa.UniqueConstraint("org_id", "name", name=op.f("gateway_org_id_name_key")),
    )
    _indexed("gateway", "org_id_idx", ["org_id"])


def _payment_method() -> None:
    op.create_table(
        "payment_method",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("method_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("gateway_id", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("payer", sa.Text()),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True)),
        _refers("payment_method", "customer_id", "customer"),
        _refers("payment_method", "gateway_id", "gateway"),
        _refers("payment_method", "org_id", "organisation"),
        sa.PrimaryKeyConstraint("customer_id", "method_id", name=op.f("payment_method_pkey")),
    )
    _indexed(
        "payment_method",
        "once_key",
        ["customer_id", "gateway_id", "reference"],
        where="removed_at IS NULL",
        unique=True,
    )
    _indexed("payment_method", "org_id_idx", ["org_id"])


def _payment_attempt() -> None:
    op.create_table(
        "payment_attempt",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("gateway_id", sa.BigInteger(), nullable=False),
        sa.Column("method_id", sa.BigInteger()),
        sa.Column("invoice_id", sa.BigInteger()),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("saves_method", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("refunded_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("charged_back_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("command_key", sa.Text()),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("return_url", sa.Text(), server_default="", nullable=False),
        sa.Column("provider_ref", sa.Text()),
        sa.Column("redirect_url", sa.Text()),
        sa.Column("decline", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("follows_id", sa.BigInteger()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("lookups", sa.Integer(), server_default="0", nullable=False),
        sa.Column("payment_id", sa.BigInteger()),
        sa.CheckConstraint(
            "(payment_id IS NOT NULL) = (state IN ('succeeded', 'partly_refunded', 'refunded', 'charged_back'))",
            name=op.f("payment_attempt_paid_check"),
        ),
        sa.CheckConstraint(
            "kind IN ('checkout', 'charge')", name=op.f("payment_attempt_kind_check")
        ),
        sa.CheckConstraint(
            "purpose IN ('top_up', 'bill', 'recharge')", name=op.f("payment_attempt_purpose_check")
        ),
        sa.CheckConstraint(
            "state IN ('created', 'pending', 'unknown', 'succeeded', 'failed', 'cancelled', 'partly_refunded', 'refunded', 'charged_back')",
            name=op.f("payment_attempt_state_check"),
        ),
        sa.CheckConstraint("amount_micros > 0", name=op.f("payment_attempt_amount_check")),
        sa.CheckConstraint(
            "charged_back_micros BETWEEN 0 AND amount_micros",
            name=op.f("payment_attempt_charged_back_check"),
        ),
        sa.CheckConstraint(
            "refunded_micros BETWEEN 0 AND amount_micros",
            name=op.f("payment_attempt_refunded_check"),
        ),
        _refers("payment_attempt", "customer_id", "customer"),
        _refers("payment_attempt", "gateway_id", "gateway"),
        _refers("payment_attempt", "org_id", "organisation"),
        sa.PrimaryKeyConstraint("customer_id", "attempt_id", name=op.f("payment_attempt_pkey")),
    )
    _payment_attempt_indexes()


def _payment_attempt_indexes() -> None:
    _indexed(
        "payment_attempt",
        "command_key",
        ["customer_id", "command_key"],
        where="command_key IS NOT NULL",
        unique=True,
    )
    _indexed("payment_attempt", "due_idx", ["due_at"], where="due_at IS NOT NULL")
    _indexed("payment_attempt", "key_idx", ["key"])
    _indexed(
        "payment_attempt",
        "one_recharge_key",
        ["customer_id", "wallet_id"],
        where="purpose = 'recharge' AND state IN ('created', 'pending', 'unknown')",
        unique=True,
    )
    _indexed("payment_attempt", "org_id_idx", ["org_id"])
    _indexed("payment_attempt", "provider_idx", ["gateway_id", "provider_ref"])


def _payment_reversal() -> None:
    op.create_table(
        "payment_reversal",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("reversal_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("key", sa.Text()),
        sa.Column("command_key", sa.Text()),
        sa.Column("provider_ref", sa.Text()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("lookups", sa.Integer(), server_default="0", nullable=False),
        sa.Column("entry_id", sa.BigInteger()),
        sa.Column("payout_entry_id", sa.BigInteger()),
        sa.CheckConstraint(
            "kind IN ('refund', 'chargeback')", name=op.f("payment_reversal_kind_check")
        ),
        sa.CheckConstraint(
            "state IN ('created', 'pending', 'unknown', 'succeeded', 'failed', 'won')",
            name=op.f("payment_reversal_state_check"),
        ),
        sa.CheckConstraint("amount_micros > 0", name=op.f("payment_reversal_amount_check")),
        _refers("payment_reversal", "customer_id", "customer"),
        _refers("payment_reversal", "org_id", "organisation"),
        sa.PrimaryKeyConstraint("customer_id", "reversal_id", name=op.f("payment_reversal_pkey")),
    )
    _indexed("payment_reversal", "attempt_idx", ["customer_id", "attempt_id"])
    _indexed("payment_reversal", "command_key", ["customer_id", "command_key"], unique=True)
    _indexed("payment_reversal", "due_idx", ["due_at"], where="due_at IS NOT NULL")
    _indexed("payment_reversal", "key_idx", ["key"])
    _indexed("payment_reversal", "org_id_idx", ["org_id"])
    _indexed(
        "payment_reversal",
        "provider_key",
        ["customer_id", "attempt_id", "provider_ref"],
        where="provider_ref IS NOT NULL",
        unique=True,
    )


def _provider_event() -> None:
    op.create_table(
        "provider_event",
        sa.Column("gateway_id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("customer_id", sa.BigInteger()),
        sa.Column("attempt_id", sa.BigInteger()),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('applied', 'no_effect', 'waiting', 'mismatch', 'unmatched')",
            name=op.f("provider_event_outcome_check"),
        ),
        _refers("provider_event", "gateway_id", "gateway"),
        _refers("provider_event", "org_id", "organisation"),
        sa.PrimaryKeyConstraint("gateway_id", "event_id", name=op.f("provider_event_pkey")),
    )
    _indexed("provider_event", "attempt_idx", ["customer_id", "attempt_id"])
    _indexed("provider_event", "org_id_idx", ["org_id"])
    _indexed("provider_event", "received_idx", ["received_at"])


def _suspense() -> None:
    op.create_table(
        "suspense",
        sa.Column("suspense_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("gateway_id", sa.BigInteger()),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("amount_micros > 0", name=op.f("suspense_amount_check")),
        sa.CheckConstraint(
            "moved_micros BETWEEN 0 AND amount_micros", name=op.f("suspense_moved_check")
        ),
        _refers("suspense", "gateway_id", "gateway"),
        _refers("suspense", "org_id", "organisation"),
        sa.PrimaryKeyConstraint("suspense_id", name=op.f("suspense_pkey")),
        sa.UniqueConstraint(
            "org_id",
            "gateway_id",
            "channel",
            "reference",
            name=op.f("suspense_org_id_gateway_id_channel_reference_key"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    _indexed("suspense", "org_id_idx", ["org_id"])


def _suspense_move() -> None:
    op.create_table(
        "suspense_move",
        sa.Column("move_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("suspense_id", sa.BigInteger(), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger()),
        sa.Column("payment_id", sa.BigInteger()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.CheckConstraint("amount_micros > 0", name=op.f("suspense_move_amount_check")),
        _refers("suspense_move", "org_id", "organisation"),
        _refers("suspense_move", "suspense_id", "suspense"),
        sa.PrimaryKeyConstraint("move_id", name=op.f("suspense_move_pkey")),
    )
    _indexed("suspense_move", "org_id_idx", ["org_id"])
    _indexed("suspense_move", "suspense_id_idx", ["suspense_id"])


def _auto_recharge() -> None:
    op.create_table(
        "auto_recharge",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("method_id", sa.BigInteger(), nullable=False),
        sa.Column("threshold_micros", sa.BigInteger(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("cap_day_micros", sa.BigInteger()),
        sa.Column("cap_month_micros", sa.BigInteger()),
        sa.Column("declines", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True)),
        sa.Column("paused_at", sa.DateTime(timezone=True)),
        sa.Column("paused_for", sa.Text()),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_micros > 0", name=op.f("auto_recharge_amount_check")),
        sa.CheckConstraint(
            "cap_day_micros > 0 AND cap_month_micros > 0", name=op.f("auto_recharge_caps_check")
        ),
        sa.CheckConstraint("declines BETWEEN 0 AND 4", name=op.f("auto_recharge_declines_check")),
        _refers("auto_recharge", "customer_id", "customer"),
        _refers("auto_recharge", "org_id", "organisation"),
        sa.PrimaryKeyConstraint("customer_id", "wallet_id", name=op.f("auto_recharge_pkey")),
    )
    _indexed("auto_recharge", "org_id_idx", ["org_id"])


def _prepayment() -> None:
    op.create_table(
        "prepayment",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("due_days", sa.Integer(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_micros > 0", name=op.f("prepayment_amount_check")),
        _refers("prepayment", "customer_id", "customer"),
        _refers("prepayment", "org_id", "organisation"),
        sa.PrimaryKeyConstraint("customer_id", "wallet_id", name=op.f("prepayment_pkey")),
    )
    _indexed("prepayment", "org_id_idx", ["org_id"])


def _prepayment_invoice() -> None:
    op.create_table(
        "prepayment_invoice",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("prepayment_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True)),
        sa.Column("cancelled_at", sa.DateTime(timezone=True)),
        sa.Column("payment_id", sa.BigInteger()),
        sa.CheckConstraint("amount_micros > 0", name=op.f("prepayment_invoice_amount_check")),
        _refers("prepayment_invoice", "customer_id", "customer"),
        _refers("prepayment_invoice", "org_id", "organisation"),
        sa.PrimaryKeyConstraint(
            "customer_id", "prepayment_id", name=op.f("prepayment_invoice_pkey")
        ),
        sa.UniqueConstraint(
            "customer_id",
            "wallet_id",
            "month",
            name=op.f("prepayment_invoice_customer_id_wallet_id_month_key"),
        ),
    )
    _indexed("prepayment_invoice", "number_idx", ["number"])
    _indexed("prepayment_invoice", "org_id_idx", ["org_id"])

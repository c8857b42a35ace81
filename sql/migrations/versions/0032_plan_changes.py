"""Changes of plan and of price, and pauses that keep what was bought (rules B17, B18, S3)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_KINDS = (
    "kind IN ('low_balance', 'exhausted', 'restored', 'invoice_issued', 'reminder',"
    " 'suspended', 'recharge_failed', 'voucher_receipt', 'credit_note', 'statement',"
    " 'allowance_used', 'price_notice')"
)


def upgrade() -> None:
    op.add_column("plan_version", sa.Column("notice_days", sa.Integer()))
    op.add_column("plan_version", sa.Column("pause_days", sa.Integer()))
    op.create_check_constraint(
        op.f("plan_version_notice_days_check"), "plan_version", "notice_days BETWEEN 0 AND 366"
    )
    op.create_check_constraint(
        op.f("plan_version_pause_days_check"), "plan_version", "pause_days BETWEEN 1 AND 366"
    )
    op.add_column("invoice", sa.Column("plan_until", sa.Date()))
    op.add_column("entitlement", sa.Column("entry_id", sa.BigInteger()))
    for table in ("message", "message_template"):
        name = op.f(f"{table}_kind_check")
        op.drop_constraint(name, table)
        op.create_check_constraint(name, table, _KINDS)
    _plan_changes()
    _pauses()
    run_sql_file("policies/0032_plan_changes.sql")


def _plan_changes() -> None:
    op.create_table(
        "plan_change",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("change_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("from_version_id", sa.BigInteger()),
        sa.Column("to_version_id", sa.BigInteger(), nullable=False),
        sa.Column("effective_on", sa.Date()),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("problem", sa.Text()),
        sa.CheckConstraint("kind IN ('change', 'price')", name=op.f("plan_change_kind_check")),
        sa.CheckConstraint(
            "state IN ('pending', 'done', 'revoked')", name=op.f("plan_change_state_check")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("plan_change_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("plan_change_org_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["from_version_id"],
            ["plan_version.plan_version_id"],
            name=op.f("plan_change_from_version_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["to_version_id"],
            ["plan_version.plan_version_id"],
            name=op.f("plan_change_to_version_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("customer_id", "change_id", name=op.f("plan_change_pkey")),
    )
    op.create_index(op.f("plan_change_org_id_idx"), "plan_change", ["org_id"])
    op.create_index(
        "plan_change_subscription_idx", "plan_change", ["customer_id", "subscription_id"]
    )
    op.create_index(
        "plan_change_pending_idx",
        "plan_change",
        ["effective_on"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "plan_change_one_pending_key",
        "plan_change",
        ["customer_id", "subscription_id"],
        unique=True,
        postgresql_where=sa.text("state = 'pending' AND kind = 'change'"),
    )
    op.create_index(
        "plan_change_price_once_key",
        "plan_change",
        ["customer_id", "subscription_id", "to_version_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'price'"),
    )


def _pauses() -> None:
    op.create_table(
        "service_pause",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("pause_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resumed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stood_still_seconds", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("credited_days", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("service_pause_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("service_pause_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "pause_id", name=op.f("service_pause_pkey")),
    )
    op.create_index(op.f("service_pause_org_id_idx"), "service_pause", ["org_id"])
    op.create_index(
        "service_pause_subscription_idx", "service_pause", ["customer_id", "subscription_id"]
    )

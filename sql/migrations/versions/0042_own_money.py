"""What customers pay and keep on file by themselves: a method without a payment, which one is the
default and how long it is good, prepayment invoices by a gateway (rules P5, P7)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _payment_method()
    _payment_attempt()
    _method_setup()
    run_sql_file("functions/organisations_above_v1.sql")
    run_sql_file("functions/organisation_of_voucher_v1.sql")
    run_sql_file("policies/0042_own_money.sql")


def _payment_method() -> None:
    op.add_column("payment_method", sa.Column("expires_on", sa.Date()))
    op.add_column(
        "payment_method",
        sa.Column("is_default", sa.Boolean(), server_default="false", nullable=False),
    )
    op.execute(
        "UPDATE payment_method SET is_default = true WHERE (customer_id, method_id) IN"
        " (SELECT customer_id, min(method_id) FROM payment_method WHERE removed_at IS NULL"
        "  GROUP BY customer_id)"
    )
    op.create_index(
        "payment_method_default_key",
        "payment_method",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("is_default"),
    )


def _payment_attempt() -> None:
    op.add_column("payment_attempt", sa.Column("prepayment_id", sa.BigInteger()))
    name = op.f("payment_attempt_purpose_check")
    op.drop_constraint(name, "payment_attempt")
    op.create_check_constraint(
        name, "payment_attempt", "purpose IN ('top_up', 'bill', 'recharge', 'prepayment')"
    )


def _method_setup() -> None:
    op.create_table(
        "method_setup",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("setup_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("gateway_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("command_key", sa.Text(), nullable=False),
        sa.Column("return_url", sa.Text(), server_default="", nullable=False),
        sa.Column("provider_ref", sa.Text()),
        sa.Column("redirect_url", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("method_id", sa.BigInteger()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("lookups", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "state IN ('created', 'pending', 'done', 'failed')",
            name=op.f("method_setup_state_check"),
        ),
        sa.CheckConstraint(
            "(method_id IS NOT NULL) = (state = 'done')", name=op.f("method_setup_done_check")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("method_setup_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["gateway_id"], ["gateway.gateway_id"], name=op.f("method_setup_gateway_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("method_setup_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "setup_id", name=op.f("method_setup_pkey")),
    )
    op.create_index(op.f("method_setup_org_id_idx"), "method_setup", ["org_id"])
    op.create_index(
        "method_setup_command_key", "method_setup", ["customer_id", "command_key"], unique=True
    )
    op.create_index(
        "method_setup_due_idx",
        "method_setup",
        ["due_at"],
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )

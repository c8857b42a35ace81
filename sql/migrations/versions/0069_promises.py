"""Promises to pay: what customers may promise themselves, and what became of each (rule B19)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import replace_function, run_sql_file

revision = "0069"
down_revision = "0067"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _limits()
    _wallets()
    _promises()
    for function in ("is_served_v1", "cut_unserved_v1", "note_wallet_overspend_v1"):
        replace_function(function)
    # It returns two columns more (see 0030).
    op.execute("DROP FUNCTION load_access_v1")
    run_sql_file("functions/load_access_v1.sql")
    run_sql_file("policies/0069_promises.sql")


def _limits() -> None:
    for name, kind, default in (
        ("promise_count", sa.SmallInteger(), "0"),
        ("promise_period_days", sa.SmallInteger(), "30"),
        ("promise_days", sa.SmallInteger(), "7"),
        ("promise_amount_micros", sa.BigInteger(), "0"),
    ):
        op.add_column(
            "billing_profile", sa.Column(name, kind, server_default=default, nullable=False)
        )
    op.create_check_constraint(
        op.f("billing_profile_promises_check"),
        "billing_profile",
        "promise_count >= 0 AND promise_period_days > 0 AND promise_days > 0"
        " AND promise_amount_micros >= 0",
    )


def _wallets() -> None:
    op.add_column(
        "wallet", sa.Column("promised_micros", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column("wallet", sa.Column("promised_until", sa.DateTime(timezone=True)))
    op.create_check_constraint(op.f("wallet_promised_check"), "wallet", "promised_micros >= 0")


def _promises() -> None:
    op.create_table(
        "payment_promise",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("promise_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_customer", sa.Boolean(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("open_micros", sa.BigInteger(), nullable=False),
        sa.Column("wallet_id", sa.BigInteger()),
        sa.Column("credit_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "state IN ('stands', 'kept', 'broken', 'replaced', 'withdrawn')",
            name=op.f("payment_promise_state_check"),
        ),
        sa.CheckConstraint(
            "open_micros >= 0 AND credit_micros >= 0", name=op.f("payment_promise_amounts_check")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("payment_promise_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("payment_promise_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "promise_id", name=op.f("payment_promise_pkey")),
    )
    op.create_index(op.f("payment_promise_org_id_idx"), "payment_promise", ["org_id"])

"""Receipts, the tax point of bills, and revenue that is not earned yet (rule I6)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing.store.migrate import run_sql_file

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("billing_profile", "invoice"):
        op.add_column(
            table, sa.Column("tax_point", sa.Text(), server_default="issue", nullable=False)
        )
        op.create_check_constraint(
            op.f(f"{table}_tax_point_check"), table, "tax_point IN ('issue', 'payment')"
        )
    _receipts()
    _items()
    _moves()
    run_sql_file("policies/0033_receipts.sql")


def _receipts() -> None:
    op.create_table(
        "receipt",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("receipt_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subscription_id", sa.BigInteger()),
        sa.Column("payment_id", sa.BigInteger()),
        sa.Column("entry_id", sa.BigInteger()),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text()),
        sa.Column("lines", postgresql.JSONB(), nullable=False),
        sa.Column("net_micros", sa.BigInteger(), nullable=False),
        sa.Column("tax_micros", sa.BigInteger(), nullable=False),
        sa.Column("rounding_micros", sa.BigInteger(), nullable=False),
        sa.Column("total_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('sale', 'top_up', 'bill')", name=op.f("receipt_kind_check")),
        sa.CheckConstraint(
            "total_micros >= 0 AND total_micros = net_micros + tax_micros + rounding_micros",
            name=op.f("receipt_total_check"),
        ),
        sa.CheckConstraint("kind <> 'top_up' OR tax_micros = 0", name=op.f("receipt_top_up_check")),
        *_keys("receipt", "receipt_id"),
    )
    op.create_index("receipt_number_idx", "receipt", ["number"])
    op.create_index(op.f("receipt_org_id_idx"), "receipt", ["org_id"])


def _items() -> None:
    op.create_table(
        "deferred_item",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger()),
        sa.Column("invoice_id", sa.BigInteger()),
        sa.Column("entitlement_id", sa.BigInteger()),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("net_micros", sa.BigInteger(), nullable=False),
        sa.Column("sold_on", sa.Date(), nullable=False),
        sa.Column("first_day", sa.Date()),
        sa.Column("next_first_day", sa.Date()),
        *_sums(),
        sa.Column("posted_through", sa.Date(), nullable=False),
        sa.Column("finished_on", sa.Date()),
        sa.CheckConstraint(
            "kind IN ('package', 'bill') AND (invoice_id IS NULL OR entitlement_id IS NULL)",
            name=op.f("deferred_item_kind_check"),
        ),
        sa.CheckConstraint("first_day < next_first_day", name=op.f("deferred_item_days_check")),
        sa.CheckConstraint("net_micros <> 0", name=op.f("deferred_item_net_check")),
        sa.CheckConstraint(
            "(finished_on IS NULL)"
            " = (earned_micros + breakage_micros + returned_micros <> net_micros)",
            name=op.f("deferred_item_finished_check"),
        ),
        *_keys("deferred_item", "item_id"),
    )
    op.create_index(
        "deferred_item_open_idx",
        "deferred_item",
        ["customer_id"],
        postgresql_where=sa.text("finished_on IS NULL"),
    )
    for owner in ("invoice", "entitlement"):
        op.create_index(
            f"deferred_item_{owner}_idx", "deferred_item", ["customer_id", f"{owner}_id"]
        )
    op.create_index(op.f("deferred_item_org_id_idx"), "deferred_item", ["org_id"])


def _moves() -> None:
    op.create_table(
        "deferred_move",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("move_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        *_sums(),
        *_keys("deferred_move", "move_id"),
    )
    op.create_index("deferred_move_item_idx", "deferred_move", ["customer_id", "item_id"])
    op.create_index(op.f("deferred_move_org_id_idx"), "deferred_move", ["org_id"])


def _sums() -> list[sa.Column[int]]:
    return [
        sa.Column(f"{name}_micros", sa.BigInteger(), server_default="0", nullable=False)
        for name in ("earned", "breakage", "returned")
    ]


def _keys(table: str, key: str) -> list[sa.Constraint]:
    return [
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f(f"{table}_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f(f"{table}_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", key, name=op.f(f"{table}_pkey")),
    ]

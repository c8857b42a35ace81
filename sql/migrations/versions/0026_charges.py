"""Bills of several lines: recurring and one-off charges, discounts (rule I1)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "charge",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("charge_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("discount_ppm", sa.Integer(), server_default="0", nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('recurring', 'one_off', 'discount')", name=op.f("charge_kind_check")
        ),
        sa.CheckConstraint("price_micros >= 0", name=op.f("charge_price_check")),
        sa.CheckConstraint(
            "discount_ppm BETWEEN 0 AND 1000000", name=op.f("charge_discount_check")
        ),
        sa.CheckConstraint("ends_on > starts_on", name=op.f("charge_ends_check")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("charge_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("charge_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "charge_id", name=op.f("charge_pkey")),
    )
    op.create_index("charge_subscription_idx", "charge", ["customer_id", "subscription_id"])
    op.create_index(op.f("charge_org_id_idx"), "charge", ["org_id"])
    op.add_column("invoice_line", sa.Column("charge_id", sa.BigInteger()))
    op.add_column("invoice_line", sa.Column("first_day", sa.Date()))
    op.add_column("invoice_line", sa.Column("next_first_day", sa.Date()))
    op.create_index(
        "invoice_line_charge_idx",
        "invoice_line",
        ["customer_id", "charge_id"],
        postgresql_where=sa.text("charge_id IS NOT NULL"),
    )
    run_sql_file("policies/0026_charges.sql")

"""Usage on bills: what the meter charged, piece by piece, and the bill that holds it (rules P2, I1);
months in arrears bring their packages ahead (rule B6)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "usage_charge",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("usage_charge_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.Column("tariff_window", sa.Text(), server_default="", nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("gross_micros", sa.BigInteger(), nullable=False),
        sa.Column("tax_micros", sa.BigInteger(), nullable=False),
        sa.Column("to_bill", sa.Boolean(), nullable=False),
        sa.Column("entry_id", sa.BigInteger()),
        sa.Column("invoice_id", sa.BigInteger()),
        sa.CheckConstraint("to_bill OR invoice_id IS NULL", name=op.f("usage_charge_billed_check")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("usage_charge_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("usage_charge_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "usage_charge_id", name=op.f("usage_charge_pkey")),
    )
    op.create_index(op.f("usage_charge_org_id_idx"), "usage_charge", ["org_id"])
    op.create_index(
        "usage_charge_uninvoiced_idx",
        "usage_charge",
        ["customer_id", "subscription_id"],
        postgresql_where=sa.text("to_bill AND invoice_id IS NULL"),
    )
    op.create_index(
        "usage_charge_invoice_idx",
        "usage_charge",
        ["customer_id", "invoice_id"],
        postgresql_where=sa.text("invoice_id IS NOT NULL"),
    )
    for name in ("posted_seconds", "posted_octets"):
        op.add_column(
            "daily_usage", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
        )
    op.add_column("invoice_line", sa.Column("usage_micros", sa.BigInteger()))
    op.add_column("subscription", sa.Column("packages_until", sa.Date()))
    run_sql_file("policies/0029_usage_lines.sql")

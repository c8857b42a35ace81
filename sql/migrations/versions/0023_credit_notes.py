"""Credit notes, and since when a subscription is billed by its profile (rules I2, B6, B14)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscription", sa.Column("billed_from", sa.Date()))
    op.add_column(
        "invoice", sa.Column("credited_micros", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column("invoice", sa.Column("voided_at", sa.DateTime(timezone=True)))
    op.drop_constraint(op.f("invoice_paid_check"), "invoice")
    op.create_check_constraint(
        op.f("invoice_paid_check"),
        "invoice",
        "paid_micros >= 0 AND credited_micros >= 0 AND paid_micros + credited_micros <= total_micros",
    )
    op.drop_constraint(op.f("payment_allocation_amount_check"), "payment_allocation")
    op.create_check_constraint(
        op.f("payment_allocation_amount_check"), "payment_allocation", "amount_micros <> 0"
    )
    op.create_table(
        "credit_note",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("credit_note_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("net_micros", sa.BigInteger(), nullable=False),
        sa.Column("tax_micros", sa.BigInteger(), nullable=False),
        sa.Column("rounding_micros", sa.BigInteger(), nullable=False),
        sa.Column("total_micros", sa.BigInteger(), nullable=False),
        sa.Column("to_wallet_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "total_micros > 0 AND total_micros = net_micros + tax_micros + rounding_micros",
            name=op.f("credit_note_total_check"),
        ),
        sa.CheckConstraint(
            "to_wallet_micros BETWEEN 0 AND total_micros", name=op.f("credit_note_to_wallet_check")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("credit_note_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("credit_note_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "credit_note_id", name=op.f("credit_note_pkey")),
    )
    op.create_index("credit_note_invoice_idx", "credit_note", ["customer_id", "invoice_id"])
    op.create_index(op.f("credit_note_org_id_idx"), "credit_note", ["org_id"])
    # load_access_v1, which reads what is credited, is made anew by 0030.
    run_sql_file("policies/0023_credit_notes.sql")

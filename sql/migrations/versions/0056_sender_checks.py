"""A reseller's From address counts when a code that was sent there has come back (rule R1)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

_KINDS = (
    "kind IN ('low_balance', 'exhausted', 'restored', 'invoice_issued', 'reminder',"
    " 'suspended', 'recharge_failed', 'voucher_receipt', 'credit_note', 'statement',"
    " 'allowance_used', 'price_notice', 'payment_received', 'prepayment_due',"
    " 'debit_notice', 'sender_check')"
)


def upgrade() -> None:
    op.create_table(
        "sender_check",
        sa.Column("check_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("sender_check_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("check_id", name=op.f("sender_check_pkey")),
    )
    op.create_index(op.f("sender_check_org_id_idx"), "sender_check", ["org_id"])
    for table in ("message", "message_template"):
        name = op.f(f"{table}_kind_check")
        op.drop_constraint(name, table)
        op.create_check_constraint(name, table, _KINDS)
    run_sql_file("policies/0056_sender_checks.sql")

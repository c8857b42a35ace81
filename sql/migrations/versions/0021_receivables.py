"""Bills are owed from their issue on, usage goes into the journal of money, the ledger is checked
(rules M4, P2)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("tax_micros", "rounding_micros"):
        op.add_column(
            "invoice", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
        )
    op.add_column("invoice", sa.Column("entry_id", sa.BigInteger()))
    op.add_column(
        "daily_usage",
        sa.Column("posted_micros", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.create_table(
        "ledger_check",
        sa.Column("check_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("ledger_check_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("check_id", name=op.f("ledger_check_pkey")),
    )
    op.create_index(op.f("ledger_check_org_id_idx"), "ledger_check", ["org_id"])
    run_sql_file("policies/0021_receivables.sql")

"""How much cash a collector may hold before it hands over (rule R4)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "collector_limit",
        sa.Column("org_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collector", sa.Text(), nullable=False),
        sa.Column("limit_micros", sa.BigInteger()),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.CheckConstraint("limit_micros > 0", name=op.f("collector_limit_limit_check")),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("collector_limit_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "collector", name=op.f("collector_limit_pkey")),
    )
    op.create_index(op.f("collector_limit_org_id_idx"), "collector_limit", ["org_id"])
    # What a limit is held against, receipt by receipt.
    op.create_index(
        "paper_receipt_open_idx",
        "paper_receipt",
        ["book_id"],
        postgresql_where=sa.text("settlement_id IS NULL"),
    )
    run_sql_file("functions/enter_paper_receipt_v1.sql")
    run_sql_file("policies/0054_collector_limits.sql")

"""What the ledger had of revenue at the ends of months, so that a report reads the days that it is about;
a customer's entries by their instants, so that a statement reads its own days (rules I6, M4)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "revenue_total",
        sa.Column("org_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("through_entry_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("revenue_total_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint(
            "org_id", "until", "account", "kind", "currency", name=op.f("revenue_total_pkey")
        ),
    )
    op.create_index("journal_entry_at_idx", "journal_entry", ["customer_id", "at"])
    # Rows stand in the order in which they were written.
    op.create_index(
        "journal_entry_range_idx", "journal_entry", ["at", "entry_id"], postgresql_using="brin"
    )
    op.create_index("posting_range_idx", "posting", ["entry_id"], postgresql_using="brin")
    run_sql_file("policies/0044_revenue_totals.sql")

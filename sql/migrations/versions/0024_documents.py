"""Bills as documents: who is called what on them, and how they look (rules I1, I3)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from billing.store.migrate import run_sql_file

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("organisation", "customer"):
        op.add_column(table, sa.Column("postal_address", sa.Text()))
        op.add_column(table, sa.Column("tax_id", sa.Text()))
    op.create_table(
        "invoice_design",
        sa.Column("org_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("accent", sa.Text(), nullable=False),
        sa.Column("blocks", ARRAY(sa.Text()), nullable=False),
        sa.Column("logo", sa.Text()),
        sa.Column("footer", sa.Text()),
        sa.Column("css", sa.Text()),
        sa.Column("template", sa.Text()),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("invoice_design_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", name=op.f("invoice_design_pkey")),
    )
    op.create_index(op.f("invoice_design_org_id_idx"), "invoice_design", ["org_id"])
    run_sql_file("policies/0024_documents.sql")

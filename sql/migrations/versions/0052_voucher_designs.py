"""How voucher cards look (rule R3)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing.store.migrate import run_sql_file

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "voucher_design",
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("accent", sa.Text(), nullable=False),
        sa.Column("paper", sa.Text(), nullable=False),
        sa.Column("blocks", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("width_mm", sa.SmallInteger(), nullable=False),
        sa.Column("height_mm", sa.SmallInteger(), nullable=False),
        sa.Column("logo", sa.Text()),
        sa.Column("text", sa.Text()),
        sa.Column("css", sa.Text()),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "width_mm > 0 AND height_mm > 0", name=op.f("voucher_design_size_check")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("voucher_design_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", name=op.f("voucher_design_pkey")),
    )
    run_sql_file("policies/0052_voucher_designs.sql")

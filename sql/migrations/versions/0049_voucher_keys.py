"""Keys that codes of vouchers are hashed with, of which there may be several (rule R3)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "voucher_key",
        sa.Column("key_id", sa.BigInteger(), nullable=False),
        sa.Column("key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.CheckConstraint("key_id > 0", name=op.f("voucher_key_number_check")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("voucher_key_pkey")),
    )
    run_sql_file("policies/0049_voucher_keys.sql")

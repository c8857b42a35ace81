"""Matches of money in suspense that were undone; payments are listed without a scan (rule P1)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("suspense_move", sa.Column("undoes_id", sa.BigInteger()))
    op.create_unique_constraint(op.f("suspense_move_undoes_id_key"), "suspense_move", ["undoes_id"])
    op.create_index("payment_attempt_number_idx", "payment_attempt", ["attempt_id"])
    op.create_index("payment_attempt_created_idx", "payment_attempt", ["created_at", "attempt_id"])

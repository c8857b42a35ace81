"""Methods that were removed are forgotten at their provider, too (rule P5, security.md 11)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment_method", sa.Column("detach_at", sa.DateTime(timezone=True)))
    op.add_column(
        "payment_method",
        sa.Column("detach_tries", sa.Integer(), server_default="0", nullable=False),
    )
    op.create_index(
        "payment_method_detach_idx",
        "payment_method",
        ["detach_at"],
        postgresql_where=sa.text("detach_at IS NOT NULL"),
    )
    op.execute(
        "GRANT UPDATE (detach_at, detach_tries) ON payment_method TO tollway_panel, tollway_worker"
    )

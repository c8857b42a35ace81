"""Orders remember how they were carried out and can be taken up again; the speed in force."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "coa_intent",
        sa.Column("escalated", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )
    op.add_column(
        "coa_intent",
        sa.Column("moved_by_coa", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )
    op.add_column("coa_intent", sa.Column("retried_at", sa.DateTime(timezone=True)))
    op.drop_constraint("goal", "coa_intent", type_="check")
    op.create_check_constraint(
        "goal",
        "coa_intent",
        "goal IN ('disconnect', 'suspend', 'restore', 'refresh', 'speed')",
    )
    op.add_column("subscription", sa.Column("service_speed", sa.Text()))

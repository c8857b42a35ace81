"""What a plan allows while the database is out (rule A8)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("plan_version", sa.Column("outage_minutes", sa.Integer(), nullable=True))
    op.create_check_constraint(
        op.f("plan_version_outage_minutes_check"),
        "plan_version",
        "outage_minutes BETWEEN 1 AND 10080",
    )

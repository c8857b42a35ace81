"""The order in which packages are used is the plan's to set (rule Q1)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import replace_function

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("plan_version", "entitlement"):
        column = sa.Column("use_order", sa.Integer(), server_default="50", nullable=False)
        op.add_column(table, column)
    replace_function("charge_usage_v1")  # load_access_v1 is made anew by 0014

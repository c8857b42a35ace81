"""Steps of fair use: a plan's, and what they leave of a subscription's speed (rule Q2)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("plan_version", sa.Column("fair_use", sa.Text()))
    for name in ("capped_up_kbps", "capped_down_kbps", "capped_by_octets"):
        op.add_column("subscription", sa.Column(name, sa.BigInteger()))
    # load_access_v1, which reads them, is made anew by 0014.

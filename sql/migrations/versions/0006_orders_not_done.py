"""Orders that are not done are found among very many that are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "coa_intent_not_done_idx",
        "coa_intent",
        ["intent_id"],
        postgresql_where=sa.text("state IN ('pending', 'acked', 'failed')"),
    )

"""Reversals that came before their payment was known are found by its reference (P1, M5)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0074"
down_revision = "0073"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "provider_event_unmatched_idx",
        "provider_event",
        ["gateway_id", sa.text("(facts ->> 'provider_ref')")],
        postgresql_where=sa.text("outcome = 'unmatched'"),
    )

"""Direct debits that came back are collected again, once (rules P1, P5)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sepa_collection", sa.Column("again_id", sa.BigInteger()))
    op.create_check_constraint(
        op.f("sepa_collection_again_check"),
        "sepa_collection",
        "again_id IS NULL OR returned_at IS NOT NULL",
    )
    op.create_index(
        "sepa_collection_again_key",
        "sepa_collection",
        ["customer_id", "again_id"],
        unique=True,
        postgresql_where=sa.text("again_id IS NOT NULL"),
    )
    op.execute("GRANT UPDATE (again_id) ON sepa_collection TO tollway_panel, tollway_worker")

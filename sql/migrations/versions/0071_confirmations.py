"""Above what amount staff of the panel proves again who it is, and when a browser's person did so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("organisation", sa.Column("confirm_above_micros", sa.BigInteger()))
    op.create_check_constraint("confirm_above", "organisation", "confirm_above_micros >= 0")
    op.add_column("staff_session", sa.Column("proved_at", sa.DateTime(timezone=True)))
    run_sql_file("policies/0071_confirmations.sql")

"""Bills as documents: what organisations and customers are called on them (rules I1, I3)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0024"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("organisation", "customer"):
        op.add_column(table, sa.Column("postal_address", sa.Text()))
        op.add_column(table, sa.Column("tax_id", sa.Text()))
    run_sql_file("policies/0024_documents.sql")

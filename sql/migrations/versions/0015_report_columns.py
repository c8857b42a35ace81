"""Reports see the columns that were added since the roles were made."""

from __future__ import annotations

from billing.store.migrate import run_sql_file

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("policies/0015_report_columns.sql")

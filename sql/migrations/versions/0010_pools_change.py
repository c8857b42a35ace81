"""Pools can be extended and removed."""

from __future__ import annotations

from billing.store.migrate import run_sql_file

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("policies/0010_pools_change.sql")

"""Counters of 32 bits are read right in every order of arrival (rules U2, U4).

Sessions keep their totals; a record that comes late for one of them derives it anew.
"""

from __future__ import annotations

from billing.store.migrate import replace_function, run_sql_file

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("functions/unwrapped_v1.sql")
    run_sql_file("policies/0019_unwrapping.sql")
    replace_function("charge_usage_v1")

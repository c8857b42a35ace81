"""Closed sessions move into the history; old days of journal and logins are dropped (rule U11)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

FUNCTIONS = ("late_until_v1", "move_closed_sessions_v1", "drop_old_day_v1")


def upgrade() -> None:
    # Closed sessions alone, in the order of their ends: an interim changes nothing of it.
    op.create_index(
        "live_session_closed_idx",
        "live_session",
        ["closed_at"],
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
    op.create_index("session_history_session_idx", "session_history", ["session_id"])
    op.create_index("session_history_acct_session_idx", "session_history", ["acct_session_id"])
    for function in FUNCTIONS:
        run_sql_file(f"functions/{function}.sql")
    run_sql_file("policies/0018_history.sql")
    # load_access_v1, which read every past package at every login, is made anew by 0030.

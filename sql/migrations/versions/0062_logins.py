"""The history of logins is read, newest first; what nobody owns by the operator (rule A3)."""

from __future__ import annotations

from alembic import op

from billing.store.migrate import run_sql_file

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("login_attempt_at_idx", "login_attempt", ["at", "attempt_id"])
    run_sql_file("functions/is_operator_v1.sql")
    run_sql_file("policies/0062_logins.sql")

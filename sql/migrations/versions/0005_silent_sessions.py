"""Sessions that ended without a word are closed (rules U7, U10)."""

from __future__ import annotations

from alembic import op

from billing.store.migrate import run_sql_file

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FUNCTIONS = ("reap_silent_v1", "close_rebooted_v1")


def upgrade() -> None:
    for function in FUNCTIONS:
        run_sql_file(f"functions/{function}.sql")
    names = ", ".join(FUNCTIONS)
    op.execute(f"REVOKE EXECUTE ON FUNCTION {names} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {names} TO tollway_worker")

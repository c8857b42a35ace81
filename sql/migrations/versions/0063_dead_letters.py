"""Dead letters of accounting are read in the panel, and not kept for ever (radius.md F5)."""

from __future__ import annotations

from alembic import op

from billing.store.migrate import run_sql_file

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("acct_dead_letter_arrived_idx", "acct_dead_letter", ["arrived_at"])
    run_sql_file("functions/drop_old_letters_v1.sql")
    run_sql_file("policies/0063_dead_letters.sql")

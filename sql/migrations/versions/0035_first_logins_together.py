"""Of several first logins at once, the second gets a slice of what the first began (Q4)."""

from __future__ import annotations

from billing.store.migrate import replace_function

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    replace_function("admit_logins_v1")

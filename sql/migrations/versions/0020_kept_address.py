"""Who has an address keeps it, also when others of the same batch find the pool exhausted (A6)."""

from __future__ import annotations

from billing.store.migrate import replace_function

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    replace_function("admit_logins_v1")

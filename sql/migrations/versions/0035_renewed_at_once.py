"""What renews by itself is bought again at once where the wallet pays for use meanwhile (rule P10)."""

from __future__ import annotations

from billing.store.migrate import replace_function

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    replace_function("look_closer_v1")

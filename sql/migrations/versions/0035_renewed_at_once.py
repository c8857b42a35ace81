"""Renewed at once where the wallet pays for use meanwhile (P10); days given back are not paid (B9)."""

from __future__ import annotations

from billing.store.migrate import replace_function

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    replace_function("look_closer_v1")
    replace_function("load_access_v1")

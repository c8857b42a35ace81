"""The meter has the sweep look at once when another package begins to pay (rule Q2)."""

from __future__ import annotations

from billing.store.migrate import replace_function

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for function in ("cut_unserved_v1", "charge_usage_v1"):
        replace_function(function)

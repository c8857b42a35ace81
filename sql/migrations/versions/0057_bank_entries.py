"""Lines of camt: parts of a bank's entries, and money that went out again (rules P1, M5)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

_OUTCOMES = (
    "outcome IN ('exact', 'part', 'more', 'customer', 'nothing_open', 'currency',"
    " 'several', 'unknown', 'refused', 'collected', 'returned', 'told_before', 'unplaced')"
)


def upgrade() -> None:
    op.add_column("bank_import", sa.Column("entry_key", sa.Text()))
    op.add_column("bank_import", sa.Column("entry_parts", sa.Integer()))
    _check("amount", "amount_micros <> 0")
    _check("outcome", _OUTCOMES)
    op.create_index(
        "bank_import_entry_idx",
        "bank_import",
        ["account_id", "entry_key"],
        postgresql_where=sa.text("entry_key IS NOT NULL"),
    )


def _check(column: str, condition: str) -> None:
    name = op.f(f"bank_import_{column}_check")
    op.drop_constraint(name, "bank_import")
    op.create_check_constraint(name, "bank_import", condition)

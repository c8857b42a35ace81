"""Bank accounts and imported lines of their statements; who took a payment (rules P1, M5)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing.store.migrate import run_sql_file

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bank_account",
        sa.Column("account_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("format", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _refers("bank_account", "org_id", "organisation"),
        sa.PrimaryKeyConstraint("account_id", name=op.f("bank_account_pkey")),
        sa.UniqueConstraint("org_id", "name", name=op.f("bank_account_org_id_name_key")),
    )
    op.create_index(op.f("bank_account_org_id_idx"), "bank_account", ["org_id"])
    _lines()
    for table in ("payment", "suspense"):
        op.add_column(table, sa.Column("taken_by", sa.Text(), server_default="", nullable=False))
    op.create_index("payment_received_idx", "payment", ["received_at"])
    run_sql_file("policies/0040_bank_statements.sql")


def _lines() -> None:
    op.create_table(
        "bank_import",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("line_key", sa.Text(), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("payer", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_by", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger()),
        sa.Column("payment_id", sa.BigInteger()),
        sa.CheckConstraint("amount_micros > 0", name=op.f("bank_import_amount_check")),
        sa.CheckConstraint(
            "outcome IN ('exact', 'part', 'more', 'customer', 'nothing_open', 'currency',"
            " 'several', 'unknown', 'refused')",
            name=op.f("bank_import_outcome_check"),
        ),
        _refers("bank_import", "account_id", "bank_account"),
        _refers("bank_import", "org_id", "organisation"),
        sa.PrimaryKeyConstraint("account_id", "line_key", name=op.f("bank_import_pkey")),
    )
    op.create_index(op.f("bank_import_org_id_idx"), "bank_import", ["org_id"])


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    """To the column of the same name."""
    name = op.f(f"{table}_{column}_fkey")
    return sa.ForeignKeyConstraint([column], [f"{target}.{column}"], name=name)

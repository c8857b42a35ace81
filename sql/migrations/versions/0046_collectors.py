"""Field collectors' receipts by number, and what they hand over (rule R4)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receipt_book",
        sa.Column("book_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("collector", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("first_number", sa.BigInteger(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "first_number >= 0 AND last_number >= first_number",
            name=op.f("receipt_book_numbers_check"),
        ),
        _organisation("receipt_book"),
        sa.PrimaryKeyConstraint("book_id", name=op.f("receipt_book_pkey")),
    )
    op.create_index(op.f("receipt_book_org_id_idx"), "receipt_book", ["org_id"])
    _settlements()
    _receipts()
    run_sql_file("policies/0046_collectors.sql")


def _settlements() -> None:
    op.create_table(
        "collector_settlement",
        sa.Column("settlement_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("collector", sa.Text(), nullable=False),
        sa.Column("shift_id", sa.BigInteger()),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("expected_micros", sa.BigInteger(), nullable=False),
        sa.Column("counted_micros", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.CheckConstraint("counted_micros >= 0", name=op.f("collector_settlement_counted_check")),
        sa.ForeignKeyConstraint(
            ["shift_id"], ["shift.shift_id"], name=op.f("collector_settlement_shift_id_fkey")
        ),
        _organisation("collector_settlement"),
        sa.PrimaryKeyConstraint("settlement_id", name=op.f("collector_settlement_pkey")),
    )
    for column in ("org_id", "shift_id"):
        name = op.f(f"collector_settlement_{column}_idx")
        op.create_index(name, "collector_settlement", [column])


def _receipts() -> None:
    op.create_table(
        "paper_receipt",
        sa.Column("book_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("bill_number", sa.Text()),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.Column("settlement_id", sa.BigInteger()),
        sa.CheckConstraint("amount_micros > 0", name=op.f("paper_receipt_amount_check")),
        sa.ForeignKeyConstraint(
            ["book_id"], ["receipt_book.book_id"], name=op.f("paper_receipt_book_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("paper_receipt_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["collector_settlement.settlement_id"],
            name=op.f("paper_receipt_settlement_id_fkey"),
        ),
        _organisation("paper_receipt"),
        sa.UniqueConstraint(
            "customer_id", "payment_id", name=op.f("paper_receipt_customer_id_payment_id_key")
        ),
        sa.PrimaryKeyConstraint("book_id", "number", name=op.f("paper_receipt_pkey")),
    )
    for column in ("org_id", "settlement_id"):
        op.create_index(op.f(f"paper_receipt_{column}_idx"), "paper_receipt", [column])


def _organisation(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["org_id"], ["organisation.org_id"], name=op.f(f"{table}_org_id_fkey")
    )

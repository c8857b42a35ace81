"""Bank accounts whose statements are imported, and their lines, each once (rules P1, M5)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, Int, OrgId, serial_key


class BankAccount(Base):
    """An account of an organisation, with how its bank writes files (`BankFormat`)."""

    __tablename__ = "bank_account"
    __table_args__ = (UniqueConstraint("org_id", "name"),)

    account_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    name: Mapped[str]
    format: Mapped[dict[str, object]] = mapped_column(JSONB())
    created_at: Mapped[datetime]


class BankImport(Base):
    """A line that was imported, by the key of its content (rules/bank_lines.py), written in the
    transaction that uses its money. Append-only but for the payment that it became.

    `amount_micros`: below zero, money that went out again. `entry_key`, `entry_parts`: the bank's
    entry that it is of, and in how many parts the bank told of it (0: as a whole)."""

    __tablename__ = "bank_import"
    __table_args__ = (
        CheckConstraint("amount_micros <> 0", name="amount"),
        CheckConstraint(
            "outcome IN ('exact', 'part', 'more', 'customer', 'nothing_open', 'currency',"
            " 'several', 'unknown', 'refused', 'collected', 'returned', 'told_before', 'unplaced')",
            name="outcome",
        ),
        Index(
            "bank_import_entry_idx",
            "account_id",
            "entry_key",
            postgresql_where=text("entry_key IS NOT NULL"),
        ),
    )

    account_id: Mapped[int] = mapped_column(
        ForeignKey("bank_account.account_id"), primary_key=True, autoincrement=False
    )
    line_key: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[OrgId]
    booked_on: Mapped[date]
    amount_micros: Mapped[int]
    currency: Mapped[str]
    payer: Mapped[str]
    reference: Mapped[str]
    outcome: Mapped[str]
    words: Mapped[str]
    imported_at: Mapped[datetime]
    imported_by: Mapped[str]
    customer_id: Mapped[int | None]
    payment_id: Mapped[int | None]
    entry_key: Mapped[str | None]
    entry_parts: Mapped[Int | None]

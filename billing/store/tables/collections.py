"""Collectors' receipt books, the receipts entered of them, and what was handed over (rule R4)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, OrgId, SerialKey


class ReceiptBook(Base):
    """Numbers of one series that a collector writes receipts by."""

    __tablename__ = "receipt_book"
    __table_args__ = (
        CheckConstraint("first_number >= 0 AND last_number >= first_number", name="numbers"),
    )

    book_id: Mapped[SerialKey]
    org_id: Mapped[OrgId]
    collector: Mapped[str]
    series: Mapped[str]
    first_number: Mapped[int]
    last_number: Mapped[int]
    opened_at: Mapped[datetime]
    opened_by: Mapped[str]
    closed_at: Mapped[datetime | None]


class CollectorLimit(Base):
    """How much cash a collector may hold before it hands over; NULL: as much as it takes."""

    __tablename__ = "collector_limit"
    __table_args__ = (CheckConstraint("limit_micros > 0", name="limit"),)

    org_id: Mapped[OrgId] = mapped_column(primary_key=True, autoincrement=False)
    collector: Mapped[str] = mapped_column(primary_key=True)
    limit_micros: Mapped[int | None]
    currency: Mapped[str]
    set_at: Mapped[datetime]
    set_by: Mapped[str]


class CollectorSettlement(Base):
    """What a collector handed over at once: what its receipts say, what was counted. The difference
    stays as it was found."""

    __tablename__ = "collector_settlement"
    __table_args__ = (CheckConstraint("counted_micros >= 0", name="counted"),)

    settlement_id: Mapped[SerialKey]
    org_id: Mapped[OrgId]
    collector: Mapped[str]
    shift_id: Mapped[int | None] = mapped_column(ForeignKey("shift.shift_id"), index=True)
    """Whose drawer it went into."""
    currency: Mapped[str]
    expected_micros: Mapped[int]
    counted_micros: Mapped[int]
    at: Mapped[datetime]
    by: Mapped[str]
    note: Mapped[str | None]


class PaperReceipt(Base):
    """A receipt belongs to its book, whoever paid: keyed by the book, each number once. Written by
    enter_paper_receipt_v1 alone."""

    __tablename__ = "paper_receipt"
    __table_args__ = (
        UniqueConstraint("customer_id", "payment_id"),
        CheckConstraint("amount_micros > 0", name="amount"),
        Index("paper_receipt_open_idx", "book_id", postgresql_where=text("settlement_id IS NULL")),
    )

    book_id: Mapped[int] = mapped_column(
        ForeignKey("receipt_book.book_id"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[OrgId]
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.customer_id"))
    payment_id: Mapped[int]
    bill_number: Mapped[str | None]
    amount_micros: Mapped[int]
    currency: Mapped[str]
    entered_at: Mapped[datetime]
    entered_by: Mapped[str]
    settlement_id: Mapped[int | None] = mapped_column(
        ForeignKey("collector_settlement.settlement_id"), index=True
    )

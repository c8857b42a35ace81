"""Cashiers' shifts and what was taken in each (rule R4)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, CustomerKey, OrgId, SerialKey


class Shift(Base):
    """One drawer, from its counted float to its count; a cashier has one open at a time.
    `expected_micros` is what should have been in it then; the difference stays as it was found."""

    __tablename__ = "shift"
    __table_args__ = (
        CheckConstraint("float_micros >= 0 AND counted_micros >= 0", name="counted"),
        CheckConstraint(
            "(closed_at IS NULL) = (counted_micros IS NULL)"
            " AND (closed_at IS NULL) = (expected_micros IS NULL)",
            name="closed",
        ),
        CheckConstraint(
            "closed_at IS NOT NULL OR handed_at IS NULL AND deposited_at IS NULL", name="after"
        ),
        Index(
            "shift_open_key",
            "cashier",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    shift_id: Mapped[SerialKey]
    org_id: Mapped[OrgId]
    cashier: Mapped[str]
    currency: Mapped[str]
    opened_at: Mapped[datetime]
    float_micros: Mapped[int]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    counted_micros: Mapped[int | None]
    expected_micros: Mapped[int | None]
    note: Mapped[str | None]
    handed_to: Mapped[str | None]
    handed_at: Mapped[datetime | None]
    deposit_reference: Mapped[str | None]
    deposited_at: Mapped[datetime | None]


class ShiftEntry(Base):
    """Money that a cashier took by a channel, or, negative, gave out; written with its entry."""

    __tablename__ = "shift_entry"
    __table_args__ = (CheckConstraint("amount_micros <> 0", name="amount"),)

    customer_id: Mapped[CustomerKey]
    entry_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    channel: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[OrgId]
    shift_id: Mapped[int] = mapped_column(ForeignKey("shift.shift_id"), index=True)
    amount_micros: Mapped[int]

"""Receipts, and what is sold and not earned yet (rule I6; amounts in micros, days are local)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, CustomerKey, OrgId, serial_key
from billing.store.tables.money import frozen_letterheads


class Receipt(Base):
    """Of a sale, or of money that came in for bills or for the wallet; never changes. `channel` is
    how it was paid, `wallet` or one of money; of a top-up or a voucher no tax is due before it is
    spent."""

    __tablename__ = "receipt"
    __table_args__ = (
        CheckConstraint("kind IN ('sale', 'top_up', 'bill', 'voucher')", name="kind"),
        CheckConstraint(
            "total_micros >= 0 AND total_micros = net_micros + tax_micros + rounding_micros",
            name="total",
        ),
        CheckConstraint("kind NOT IN ('top_up', 'voucher') OR tax_micros = 0", name="top_up"),
        Index("receipt_number_idx", "number"),
        *frozen_letterheads(),
    )

    customer_id: Mapped[CustomerKey]
    receipt_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    number: Mapped[str]
    kind: Mapped[str]
    issued_at: Mapped[datetime]
    subscription_id: Mapped[int | None]
    payment_id: Mapped[int | None]
    entry_id: Mapped[int | None]
    """The entry of a sale; None for what is free, and for money that came in."""
    channel: Mapped[str]
    reference: Mapped[str | None]
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB())
    """Fields of `billing.model.documents.DocumentLine`, in their order."""
    net_micros: Mapped[int]
    tax_micros: Mapped[int]
    rounding_micros: Mapped[int]
    total_micros: Mapped[int]
    currency: Mapped[str]
    seller_letterhead_id: Mapped[int]
    buyer_letterhead_id: Mapped[int]


class RevenueTotal(Base):
    """What the ledger had of an account at the end of a month, by kind of entry, of entries up to
    `through_entry_id`; what is posted into that month later is in the journal only."""

    __tablename__ = "revenue_total"

    org_id: Mapped[int] = mapped_column(
        ForeignKey("organisation.org_id"), primary_key=True, autoincrement=False
    )
    until: Mapped[datetime] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    amount_micros: Mapped[int]
    through_entry_id: Mapped[int]


class DeferredItem(Base):
    """Something sold that is earned over time: a package, or lines of a bill for the same days.

    What is not earned, lapsed or given back is deferred still; the sums are those of its moves.
    A package's days are its entitlement's; when a part of a bill is given back, what is left of it
    goes on as an item of its own.
    """

    __tablename__ = "deferred_item"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('package', 'bill') AND (invoice_id IS NULL OR entitlement_id IS NULL)",
            name="kind",
        ),
        CheckConstraint("first_day < next_first_day", name="days"),
        CheckConstraint("net_micros <> 0", name="net"),
        CheckConstraint(
            "(finished_on IS NULL)"
            " = (earned_micros + breakage_micros + returned_micros <> net_micros)",
            name="finished",
        ),
        Index(
            "deferred_item_open_idx", "customer_id", postgresql_where=text("finished_on IS NULL")
        ),
        Index("deferred_item_invoice_idx", "customer_id", "invoice_id"),
        Index("deferred_item_entitlement_idx", "customer_id", "entitlement_id"),
    )

    customer_id: Mapped[CustomerKey]
    item_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    kind: Mapped[str]
    subscription_id: Mapped[int | None]
    invoice_id: Mapped[int | None]
    entitlement_id: Mapped[int | None]
    currency: Mapped[str]
    net_micros: Mapped[int]
    sold_on: Mapped[date]
    first_day: Mapped[date | None]
    next_first_day: Mapped[date | None]
    earned_micros: Mapped[int] = mapped_column(server_default="0")
    breakage_micros: Mapped[int] = mapped_column(server_default="0")
    returned_micros: Mapped[int] = mapped_column(server_default="0")
    posted_through: Mapped[date]
    """The ledger has what was earned of it by the end of this day."""
    finished_on: Mapped[date | None]


class DeferredMove(Base):
    """What an entry earned of an item, let lapse or gave back; append-only."""

    __tablename__ = "deferred_move"
    __table_args__ = (Index("deferred_move_item_idx", "customer_id", "item_id"),)

    customer_id: Mapped[CustomerKey]
    move_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    item_id: Mapped[int]
    entry_id: Mapped[int]
    on_day: Mapped[date]
    earned_micros: Mapped[int] = mapped_column(server_default="0")
    breakage_micros: Mapped[int] = mapped_column(server_default="0")
    returned_micros: Mapped[int] = mapped_column(server_default="0")

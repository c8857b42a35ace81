"""What happens to bills that stay unpaid (rule I5)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, CustomerKey, Int, OrgId, serial_key


class DunningStep(Base):
    """A step of a profile's schedule: `days` local days after a bill's payment date, before it
    where negative. Days before `since` are not its: it had not been set then."""

    __tablename__ = "dunning_step"
    __table_args__ = (
        CheckConstraint(
            "fee_micros >= 0 AND fee_ppm BETWEEN 0 AND 1000000 AND fee_most_micros > 0", name="fee"
        ),
        CheckConstraint("reminds OR fee_micros > 0 OR fee_ppm > 0", name="effect"),
    )

    profile_id: Mapped[int] = mapped_column(
        ForeignKey("billing_profile.profile_id"), primary_key=True
    )
    days: Mapped[Int] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[OrgId]
    reminds: Mapped[bool]
    fee_micros: Mapped[int]
    fee_ppm: Mapped[Int]
    fee_most_micros: Mapped[int | None]
    since: Mapped[date]


class DunningEvent(Base):
    """A step that had its effect on a bill, once: the key says so. `fee_micros` is the fee before
    or with tax, as the profile's prices are; it became a charge on the next bill, or a bill of its
    own. A step that was passed over (`reminded` false, no fee) counts as done."""

    __tablename__ = "dunning_event"
    __table_args__ = (
        CheckConstraint("fee_micros >= 0", name="fee"),
        Index(
            "dunning_event_fee_invoice_idx",
            "customer_id",
            "fee_invoice_id",
            postgresql_where=text("fee_invoice_id IS NOT NULL"),
        ),
    )

    customer_id: Mapped[CustomerKey]
    invoice_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    days: Mapped[Int] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[OrgId]
    at: Mapped[datetime]
    reminded: Mapped[bool]
    fee_micros: Mapped[int]
    currency: Mapped[str]
    charge_id: Mapped[int | None]
    fee_invoice_id: Mapped[int | None]


class WriteOff(Base):
    """A bill whose open amount is not expected any more; never changes. The key: only once."""

    __tablename__ = "write_off"
    __table_args__ = (CheckConstraint("amount_micros > 0", name="amount"),)

    customer_id: Mapped[CustomerKey]
    invoice_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[OrgId]
    at: Mapped[datetime]
    reason: Mapped[str]
    amount_micros: Mapped[int]
    currency: Mapped[str]
    entry_id: Mapped[int]


class Recovery(Base):
    """Money that came in for a bill, or a part of it, that had been written off; never changes. Of
    `amount_micros` `tax_micros` is due by it, where the tax point is the payment (rule I6)."""

    __tablename__ = "recovery"
    __table_args__ = (
        CheckConstraint("amount_micros > 0", name="amount"),
        CheckConstraint("tax_micros BETWEEN 0 AND amount_micros", name="tax"),
        Index("recovery_invoice_idx", "customer_id", "invoice_id"),
    )

    customer_id: Mapped[CustomerKey]
    recovery_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    invoice_id: Mapped[int]
    at: Mapped[datetime]
    amount_micros: Mapped[int]
    tax_micros: Mapped[int]
    currency: Mapped[str]
    entry_id: Mapped[int]

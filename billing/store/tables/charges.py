"""What is billed beside the plan (rule I1)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, CustomerKey, Int, OrgId, serial_key


class Charge(Base):
    """A recurring or one-off charge, or a discount, of a subscription; days are local (rule M3).

    What bills hold of it are their lines with its id.
    """

    __tablename__ = "charge"
    __table_args__ = (
        CheckConstraint("kind IN ('recurring', 'one_off', 'discount')", name="kind"),
        CheckConstraint("price_micros >= 0", name="price"),
        CheckConstraint("discount_ppm BETWEEN 0 AND 1000000", name="discount"),
        CheckConstraint("tax_rate_ppm BETWEEN 0 AND 1000000", name="tax_rate"),
        CheckConstraint("ends_on > starts_on", name="ends"),
        Index("charge_subscription_idx", "customer_id", "subscription_id"),
    )

    customer_id: Mapped[CustomerKey]
    charge_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    subscription_id: Mapped[int]
    kind: Mapped[str]
    text: Mapped[str]
    price_micros: Mapped[int] = mapped_column(server_default="0")
    discount_ppm: Mapped[Int] = mapped_column(server_default="0")
    tax_rate_ppm: Mapped[Int | None]
    """NULL: the billing profile's; of a discount, the plan's (rule I1)."""
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    created_at: Mapped[datetime]
    waived_at: Mapped[datetime | None]
    """When staff let a one-off charge go that no bill held: none will."""

"""Promises to pay and what became of them (rule B19)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped

from billing.store.tables.base import Base, CustomerKey, OrgId, serial_key


class PaymentPromise(Base):
    """`ends_at`: when its last day `until` is over. `open_micros`: what was open of bills when it
    was made; `credit_micros`: what it lends to the wallet. At most one of a customer stands."""

    __tablename__ = "payment_promise"
    __table_args__ = (
        CheckConstraint(
            "state IN ('stands', 'kept', 'broken', 'replaced', 'withdrawn')", name="state"
        ),
        CheckConstraint("open_micros >= 0 AND credit_micros >= 0", name="amounts"),
    )

    customer_id: Mapped[CustomerKey]
    promise_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    made_at: Mapped[datetime]
    by_customer: Mapped[bool]
    until: Mapped[date]
    ends_at: Mapped[datetime]
    open_micros: Mapped[int]
    wallet_id: Mapped[int | None]
    credit_micros: Mapped[int]
    currency: Mapped[str]
    state: Mapped[str]
    settled_at: Mapped[datetime | None]

"""Customers who are logged in, and failed logins of theirs (security.md 5 and 8)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, CustomerKey, OrgId


class CustomerSession(Base):
    """A browser that is logged in as a subscription; deleting the row logs it out."""

    __tablename__ = "customer_session"

    customer_id: Mapped[CustomerKey]
    token_sha256: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[OrgId]
    subscription_id: Mapped[int]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class CustomerThrottle(Base):
    """Passwords tried in the running window (security.md 8).

    `throttle_key`: `pair:HASH` (of a user name and an address), `account:HASH` (of a user name,
    whether anybody has it or not), `address:IP`, `device:HASH` (a browser known to the
    subscription, counted apart) or `change:ID` (the old password, when it is changed).
    """

    __tablename__ = "customer_throttle"

    throttle_key: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    window_started_at: Mapped[datetime]

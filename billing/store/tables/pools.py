"""Session slots, and the addresses that we lease ourselves (rules A6, A7)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Address, Base, Int, serial_key


class SessionSlot(Base):
    """A place taken by a login until its session shows (rule A7); short-lived.

    It is spent by a session with a number above `after_session_id`.
    """

    __tablename__ = "session_slot"

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    slot_id: Mapped[int] = serial_key()
    org_id: Mapped[int]
    subscription_id: Mapped[int]
    calling_station: Mapped[str | None]
    taken_at: Mapped[datetime]
    after_session_id: Mapped[int]


class AddressPool(Base):
    """Addresses that we hand out ourselves; plans and profiles name it (rule A6).

    `ranges` is what was written when it was made, `kind` normal or suspended.
    """

    __tablename__ = "address_pool"
    __table_args__ = (
        UniqueConstraint("org_id", "name"),
        CheckConstraint("kind IN ('normal', 'suspended')", name="kind"),
    )

    pool_id: Mapped[int] = serial_key()
    org_id: Mapped[int] = mapped_column(ForeignKey("organisation.org_id"))
    name: Mapped[str]
    kind: Mapped[str]
    ranges: Mapped[str]
    netmask: Mapped[Address | None]
    created_at: Mapped[datetime]


class PoolAddress(Base):
    """One address and who has it, or had it last: it is kept for him while others are free.

    `leased_at` NULL: free. A lease is over when its session is, which nobody writes here: see
    pool_leases_v1.
    """

    __tablename__ = "pool_address"
    __table_args__ = (
        UniqueConstraint("org_id", "address"),
        Index(
            "pool_address_free_idx",
            "pool_id",
            text("freed_at NULLS FIRST"),
            "address",
            postgresql_where=text("leased_at IS NULL"),
        ),
        Index(
            "pool_address_holder_idx",
            "customer_id",
            "subscription_id",
            postgresql_where=text("customer_id IS NOT NULL"),
        ),
        {"postgresql_with": {"fillfactor": 80}},
    )

    pool_id: Mapped[int] = mapped_column(ForeignKey("address_pool.pool_id"), primary_key=True)
    address: Mapped[Address] = mapped_column(primary_key=True)
    org_id: Mapped[int]
    customer_id: Mapped[int | None]
    subscription_id: Mapped[int | None]
    calling_station: Mapped[str | None]
    leased_at: Mapped[datetime | None]
    freed_at: Mapped[datetime | None]
    silence_seconds: Mapped[Int | None]
    after_session_id: Mapped[int | None]

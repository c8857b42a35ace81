"""What customers of resellers buy themselves, and what these earn by it (rule R1). Functions alone
write here: post_self_purchase_v1, take_back_self_purchase_v1."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, CustomerKey, OrgId, Small, serial_key


class SelfPurchase(Base):
    """A package that a reseller's customer has bought from its own wallet, by which somebody of the
    chain may earn."""

    __tablename__ = "self_purchase"
    __table_args__ = (
        CheckConstraint("paid_micros > 0", name="paid"),
        CheckConstraint("back_micros BETWEEN 0 AND paid_micros", name="back"),
        Index("self_purchase_id_idx", "purchase_id", unique=True),
        Index("self_purchase_entitlement_key", "customer_id", "entitlement_id", unique=True),
    )

    customer_id: Mapped[CustomerKey]
    purchase_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    subscription_id: Mapped[int]
    entitlement_id: Mapped[int]
    plan_id: Mapped[int]
    entry_id: Mapped[int]
    """The customer's entry of the purchase; refunds correct it."""
    paid_micros: Mapped[int]
    """What the customer paid, taxes included."""
    back_micros: Mapped[int] = mapped_column(server_default="0")
    """What of it the customer got back."""
    currency: Mapped[str]
    bought_at: Mapped[datetime]
    bought_by: Mapped[str]
    back_at: Mapped[datetime | None]


class SelfPurchaseShare(Base):
    """What a purchase moved in the account of a reseller that earns by it, the customer's own at
    `depth` 0; what was taken back of it is a row of its own, negative."""

    __tablename__ = "self_purchase_share"
    __table_args__ = (
        CheckConstraint("depth >= 0", name="depth"),
        Index("self_purchase_share_purchase_id_idx", "purchase_id"),
        Index(
            "self_purchase_share_earned_key",
            "customer_id",
            "purchase_id",
            unique=True,
            postgresql_where=text("paid_micros > 0"),
        ),
    )

    customer_id: Mapped[CustomerKey]
    share_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    purchase_id: Mapped[int]
    seller_org_id: Mapped[int]
    """Whose customer has bought."""
    plan_id: Mapped[int]
    depth: Mapped[Small]
    at: Mapped[datetime]
    paid_micros: Mapped[int]
    """By the customer."""
    cost_micros: Mapped[int]
    """What is passed on to who is above."""
    wallet_micros: Mapped[int]
    """Earned: moved in the wallet."""
    currency: Mapped[str]
    entry_id: Mapped[int | None]

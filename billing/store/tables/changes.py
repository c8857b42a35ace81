"""What becomes of a subscription's plan, and its pauses (rules B17, B18, S3)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, CustomerKey, Int, OrgId, serial_key


class PlanChange(Base):
    """A change of a subscription's plan, to come or carried out; it stays on record.

    `kind`: `change` by request (B17), `price` to a version with another price (B18).
    `effective_on`: the first local day of the new version; None: when the packages have ended.
    `from_version_id` is what it was when it was carried out. `problem`: why nothing was bought, or
    why it came to nothing.
    """

    __tablename__ = "plan_change"
    __table_args__ = (
        CheckConstraint("kind IN ('change', 'price')", name="kind"),
        CheckConstraint("state IN ('pending', 'done', 'revoked')", name="state"),
        Index("plan_change_subscription_idx", "customer_id", "subscription_id"),
        Index(
            "plan_change_pending_idx",
            "effective_on",
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "plan_change_one_pending_key",
            "customer_id",
            "subscription_id",
            unique=True,
            postgresql_where=text("state = 'pending' AND kind = 'change'"),
        ),
        Index(
            "plan_change_price_once_key",
            "customer_id",
            "subscription_id",
            "to_version_id",
            unique=True,
            postgresql_where=text("kind = 'price'"),
        ),
    )

    customer_id: Mapped[CustomerKey]
    change_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    subscription_id: Mapped[int]
    kind: Mapped[str]
    state: Mapped[str]
    from_version_id: Mapped[int | None] = mapped_column(ForeignKey("plan_version.plan_version_id"))
    to_version_id: Mapped[int] = mapped_column(ForeignKey("plan_version.plan_version_id"))
    effective_on: Mapped[date | None]
    requested_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    problem: Mapped[str | None]


class ServicePause(Base):
    """A pause that has ended, and what it was good for: how long validity stood still, how many
    days of bills were given back (rule S3)."""

    __tablename__ = "service_pause"
    __table_args__ = (Index("service_pause_subscription_idx", "customer_id", "subscription_id"),)

    customer_id: Mapped[CustomerKey]
    pause_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    subscription_id: Mapped[int]
    paused_at: Mapped[datetime]
    resumed_at: Mapped[datetime]
    stood_still_seconds: Mapped[int] = mapped_column(server_default="0")
    credited_days: Mapped[Int] = mapped_column(server_default="0")

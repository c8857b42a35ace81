"""What running sessions hold of an allowance, and what was used past its end (rule Q4)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, Small, serial_key


class Reservation(Base):
    """A slice that one session holds of its subscription's allowance (RFC 8506 5.1.1).

    `state`: held, then once and for good posted (its session has ended; what it did not use is free
    again) or released (no session ever showed). All quantities count from the start of the session,
    as the limits of its NAS do: granted is what was reserved in all, used what the meter has seen.
    None in granted: not limited. `limit_seconds` is the Session-Timeout that follows from the grant
    and its validity, `valid_until` when that ends the session at the latest; `limit_input_octets`
    and `limit_output_octets` are the shares of the directions at a NAS that limits each.
    `after_session_id`: sessions with higher numbers began after the login. `nas_can`: bits of
    billing.model.grants.NasCan. `final_at`: since when nothing more can be reserved;
    `restricted_at`: since when it goes on at the restricted speed, without a limit.
    """

    __tablename__ = "reservation"
    __table_args__ = (
        CheckConstraint("state IN ('held', 'posted', 'released')", name="state"),
        CheckConstraint("(state = 'held') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("state <> 'posted' OR session_id IS NOT NULL", name="posted"),
        CheckConstraint("state <> 'released' OR session_id IS NULL", name="released"),
        CheckConstraint(
            "granted_seconds > 0 AND granted_octets > 0 AND limit_seconds > 0", name="granted"
        ),
        CheckConstraint(
            "used_seconds >= 0 AND used_input_octets >= 0 AND used_output_octets >= 0", name="used"
        ),
        CheckConstraint(
            "limit_input_octets + limit_output_octets = granted_octets", name="directions"
        ),
        Index(
            "reservation_held_idx",
            "customer_id",
            "subscription_id",
            postgresql_where=text("state = 'held'"),
        ),
        Index(
            "reservation_session_key",
            "customer_id",
            "session_id",
            unique=True,
            postgresql_where=text("state = 'held'"),
        ),
        Index("reservation_lapse_idx", "valid_until", postgresql_where=text("state = 'held'")),
        {"postgresql_with": {"fillfactor": 60}},
    )

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reservation_id: Mapped[int] = serial_key()
    org_id: Mapped[int]
    subscription_id: Mapped[int]
    plan_version_id: Mapped[int]
    nas_id: Mapped[int]
    calling_station: Mapped[str | None]
    after_session_id: Mapped[int]
    session_id: Mapped[int | None]
    state: Mapped[str]
    taken_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    valid_until: Mapped[datetime]
    granted_seconds: Mapped[int | None]
    granted_octets: Mapped[int | None]
    used_seconds: Mapped[int] = mapped_column(server_default=text("0"))
    used_input_octets: Mapped[int] = mapped_column(server_default=text("0"))
    used_output_octets: Mapped[int] = mapped_column(server_default=text("0"))
    limit_seconds: Mapped[int]
    limit_input_octets: Mapped[int | None]
    limit_output_octets: Mapped[int | None]
    nas_can: Mapped[Small]
    final_at: Mapped[datetime | None]
    restricted_at: Mapped[datetime | None]


class Overspend(Base):
    """What sessions used after a subscription's allowance was used up, one row an exhaustion.

    It grows with late records until the sessions are closed. The rows of a subscription sum to its
    slices of kind overspend in daily_usage. `entitlement_ids`: the packages that were used up;
    none where usage came without any.

    With `wallet_id` it is the wallet that was used up, by a record of this subscription, and
    `micros` what pay-as-you-go took past its limit, of all that it pays for; seconds and octets
    are 0, as these are paid. `lifted_at`: when the wallet was seen above its limit again.
    """

    __tablename__ = "overspend"
    __table_args__ = (
        CheckConstraint("seconds >= 0 AND octets >= 0", name="quantities"),
        CheckConstraint("micros >= 0 AND (micros = 0 OR wallet_id IS NOT NULL)", name="micros"),
        Index("overspend_subscription_idx", "customer_id", "subscription_id", "exhausted_at"),
    )

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    overspend_id: Mapped[int] = serial_key()
    org_id: Mapped[int]
    subscription_id: Mapped[int]
    entitlement_ids: Mapped[list[int]]
    exhausted_at: Mapped[datetime]
    last_at: Mapped[datetime]
    seconds: Mapped[int]
    octets: Mapped[int]
    wallet_id: Mapped[int | None]
    micros: Mapped[int] = mapped_column(server_default=text("0"))
    lifted_at: Mapped[datetime | None]

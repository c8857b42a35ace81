"""NAS, sessions, logins seen, and the orders to change running sessions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Address, Base, Int, OrgId, Small, serial_key


class Nas(Base):
    """A router or hotspot controller (reference table). Its secret is AES-GCM sealed."""

    __tablename__ = "nas"
    __table_args__ = (
        UniqueConstraint("address"),
        UniqueConstraint("org_id", "name"),
        CheckConstraint("coa_port BETWEEN 1 AND 65535", name="coa_port"),
    )

    nas_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    revision: Mapped[Int]
    name: Mapped[str]
    address: Mapped[Address]
    vendor: Mapped[str]
    secret_sealed: Mapped[bytes]
    coa_port: Mapped[Int]
    swap_octets: Mapped[bool]
    require_message_authenticator: Mapped[bool]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class _Session:
    """Columns of a session, live or past. Counters are totals, from the subscriber's side."""

    org_id: Mapped[int]
    subscription_id: Mapped[int]
    nas_id: Mapped[int]
    acct_session_id: Mapped[str]
    epoch: Mapped[Int]
    username: Mapped[str]
    """As the NAS sent it: a Disconnect must repeat it exactly (rule C3)."""
    started_at: Mapped[datetime]
    last_event_at: Mapped[datetime]
    last_arrival_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    terminate_cause: Mapped[str | None]
    session_seconds: Mapped[int]
    input_octets: Mapped[int]
    output_octets: Mapped[int]
    input_wraps: Mapped[Small]
    output_wraps: Mapped[Small]
    """How often each counter of 32 bits began anew; -1: its readings tell less than was counted,
    and every record derives it from them (rule U4)."""
    input_at_seconds: Mapped[int]
    output_at_seconds: Mapped[int]
    """Session time of the record that each counter was last read from (rule U4)."""
    has_gigawords: Mapped[bool]
    charged_micros: Mapped[int]
    payg_version_id: Mapped[int | None]
    payg_seconds: Mapped[int]
    payg_octets: Mapped[int]
    payg_micros: Mapped[int]
    framed_ip: Mapped[Address | None]
    framed_ipv6_prefix: Mapped[str | None]
    framed_ipv6_address: Mapped[str | None]
    delegated_ipv6_prefix: Mapped[str | None]
    framed_interface_id: Mapped[str | None]
    calling_station: Mapped[str | None]
    called_station: Mapped[str | None]
    nas_port_id: Mapped[str | None]
    session_class: Mapped[str | None]
    cut_requested_at: Mapped[datetime | None]


class LiveSession(_Session, Base):
    """Open sessions, and closed ones until no late record can come (rule U11).

    Nothing that an interim changes is indexed, so that its update stays on the page (HOT).
    """

    __tablename__ = "live_session"
    __table_args__ = (
        UniqueConstraint(
            "customer_id",
            "subscription_id",
            "nas_id",
            "acct_session_id",
            "epoch",
            name="live_session_identity_key",
        ),
        Index("live_session_open_idx", "nas_id", postgresql_where=text("closed_at IS NULL")),
        Index(
            "live_session_closed_idx", "closed_at", postgresql_where=text("closed_at IS NOT NULL")
        ),
        {"postgresql_with": {"fillfactor": 60}},
    )

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    session_id: Mapped[int] = serial_key()


def _held_by(name: str, column: str, also: str = "") -> Index:
    """An index of the sessions that held an address, by their ends."""
    return Index(name, column, "closed_at", postgresql_where=text(f"{column} IS NOT NULL{also}"))


class SessionHistory(_Session, Base):
    """Past sessions, a partition a month of `started_at`."""

    __tablename__ = "session_history"
    __table_args__ = (
        Index("session_history_subscription_idx", "customer_id", "subscription_id", "started_at"),
        Index("session_history_session_idx", "session_id"),
        Index("session_history_acct_session_idx", "acct_session_id"),
        # Who had an address when (rule U12): prefixes, too, are found by equality.
        _held_by("session_history_framed_ip_idx", "framed_ip"),
        _held_by("session_history_ipv6_address_idx", "framed_ipv6_address"),
        _held_by("session_history_ipv6_prefix_idx", "framed_ipv6_prefix"),
        _held_by("session_history_delegated_idx", "delegated_ipv6_prefix"),
        _held_by(
            "session_history_interface_idx",
            "framed_interface_id",
            " AND framed_ipv6_prefix IS NULL AND framed_ipv6_address IS NULL",
        ),
        {"postgresql_partition_by": "RANGE (started_at)"},
    )

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    session_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    started_at: Mapped[datetime] = mapped_column(primary_key=True)


class NatBlock(Base):
    """Ports of an outer address that carrier-grade NAT gave to an inner one (rule U12): imported.

    Both ports are included; `until` NULL: it holds still.
    """

    __tablename__ = "nat_block"
    __table_args__ = (
        UniqueConstraint(
            "outer_address",
            "first_port",
            "since",
            "inner_address",
            "org_id",
            name="nat_block_outer_address_key",
        ),
        CheckConstraint("first_port BETWEEN 0 AND last_port AND last_port <= 65535", name="ports"),
        CheckConstraint("until >= since", name="ends"),
    )

    block_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    outer_address: Mapped[Address]
    first_port: Mapped[Int]
    last_port: Mapped[Int]
    inner_address: Mapped[Address]
    since: Mapped[datetime]
    until: Mapped[datetime | None]


class CoaIntent(Base):
    """An order to change or end a running session, written with its cause (rule C1).

    `goal`: one of model.enforcement.Goal. `state`: pending → acked → confirmed,
    or failed (gave up), cancelled (the cause went away first). `escalated`: from now on by
    Disconnect. `moved_by_coa`: a CoA into or out of the walled garden was acknowledged, which no
    Class of the session shows. `retried_at`: when a person took a failed one up again.
    """

    __tablename__ = "coa_intent"
    __table_args__ = (
        CheckConstraint(
            "goal IN ('disconnect', 'suspend', 'restore', 'refresh', 'speed', 'tariff', 'grant',"
            " 'restrict', 'tighten')",
            name="goal",
        ),
        CheckConstraint(
            "state IN ('pending', 'acked', 'confirmed', 'failed', 'cancelled')", name="state"
        ),
        Index(
            "coa_intent_due_idx",
            "next_attempt_at",
            postgresql_where=text("state IN ('pending', 'acked')"),
        ),
        Index("coa_intent_session_idx", "customer_id", "session_id"),
        Index(
            "coa_intent_not_done_idx",
            "intent_id",
            postgresql_where=text("state IN ('pending', 'acked', 'failed')"),
        ),
    )

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    intent_id: Mapped[int] = serial_key()
    org_id: Mapped[int]
    subscription_id: Mapped[int]
    session_id: Mapped[int]
    nas_id: Mapped[int]
    goal: Mapped[str]
    reason: Mapped[str]
    state: Mapped[str]
    created_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime]
    attempts: Mapped[Small]
    finished_at: Mapped[datetime | None]
    escalated: Mapped[bool] = mapped_column(server_default=text("false"))
    moved_by_coa: Mapped[bool] = mapped_column(server_default=text("false"))
    retried_at: Mapped[datetime | None]


class CoaAttempt(Base):
    """One packet sent and what came back (rule C1)."""

    __tablename__ = "coa_attempt"

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    intent_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    attempt: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[int]
    packet: Mapped[str]
    sent_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    outcome: Mapped[str]
    error_cause: Mapped[str | None]


class Hearing(Base):
    """Since when accounting is heard without a break, and when that was last said: one row, or none
    before the first server ran (heard_since_v1). `since` NULL: no break is known."""

    __tablename__ = "hearing"
    __table_args__ = (CheckConstraint("hearing_id = 1", name="one"),)

    hearing_id: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False)
    since: Mapped[datetime | None]
    last_at: Mapped[datetime]


class LoginAttempt(Base):
    """Every Access-Request's outcome, unknown users included (rule A3); a partition a day.

    `customer_id` and `subscription_id` are 0 for unknown users.
    """

    __tablename__ = "login_attempt"
    __table_args__ = (
        Index("login_attempt_at_idx", "at", "attempt_id"),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    username: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    attempt_id: Mapped[int] = serial_key()
    org_id: Mapped[int | None]
    subscription_id: Mapped[int]
    nas_id: Mapped[int]
    calling_station: Mapped[str | None]
    outcome: Mapped[str]
    reason: Mapped[str]


class LoginThrottle(Base):
    """Wrong passwords in the running window, per station; station '' counts all (rule A4)."""

    __tablename__ = "login_throttle"

    username: Mapped[str] = mapped_column(primary_key=True)
    calling_station: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[Int]
    window_started_at: Mapped[datetime]

"""What was metered: the raw journal, its dead letters, daily slices, anomalies."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Address, Base, CustomerKey, Int, OrgId, Small, serial_key


class AcctJournal(Base):
    """Every accounting record as it came and what it changed (rule U11); a partition a day.

    Append-only; not unique on purpose: deduplication is by session state. `outcome`:
    counted | repeated (nothing new in it) | late. Counters as reported; None: absent or unusable.
    """

    __tablename__ = "acct_journal"
    __table_args__ = ({"postgresql_partition_by": "RANGE (arrived_at)"},)

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    session_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    arrived_at: Mapped[datetime] = mapped_column(primary_key=True)
    record_id: Mapped[int] = serial_key()
    org_id: Mapped[int | None]
    subscription_id: Mapped[int]
    nas_id: Mapped[int]
    acct_session_id: Mapped[str]
    status: Mapped[Small]
    event_at: Mapped[datetime]
    session_seconds: Mapped[int | None]
    input_octets: Mapped[int | None]
    output_octets: Mapped[int | None]
    added_seconds: Mapped[int]
    added_input_octets: Mapped[int]
    added_output_octets: Mapped[int]
    charged_micros: Mapped[int]
    plan_version_id: Mapped[int | None]
    outcome: Mapped[str]
    anomalies: Mapped[str | None]
    raw: Mapped[str | None]
    tariff_version_id: Mapped[int | None]
    """The version whose free windows held for its usage; None: there were no windows (rule Q3)."""


class AcctDeadLetter(Base):
    """Records that belong to no session: kept and counted, never dropped (radius.md F5)."""

    __tablename__ = "acct_dead_letter"
    __table_args__ = (Index("acct_dead_letter_arrived_idx", "arrived_at"),)

    letter_id: Mapped[int] = serial_key()
    arrived_at: Mapped[datetime]
    nas_address: Mapped[Address]
    reason: Mapped[str]
    raw: Mapped[str]


class DailyUsage(Base):
    """Usage by local day, session and what paid for it; the slices of a session sum to its
    totals (rule U9).

    `kind`: entitlement | payg | flat (a monthly service without quota) | overspend | free (in a
    window of that name, rule Q3). `entitlement_id` is 0 for all but the first. `tariff_window`: the
    window whose own price pay-as-you-go had, or what was used in for nothing; else empty.
    `posted_*`: what of the charge, and of what it is for, the journal of money has already (rule
    P2).
    """

    __tablename__ = "daily_usage"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('entitlement', 'payg', 'flat', 'overspend', 'free')", name="kind"
        ),
        Index("daily_usage_day_idx", "customer_id", "subscription_id", "local_day"),
        {"postgresql_with": {"fillfactor": 60}},
    )

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    session_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    local_day: Mapped[date] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    entitlement_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    plan_version_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tariff_window: Mapped[str] = mapped_column(primary_key=True, server_default="")
    subscription_id: Mapped[int]
    org_id: Mapped[int]
    seconds: Mapped[int]
    input_octets: Mapped[int]
    output_octets: Mapped[int]
    charged_micros: Mapped[int]
    posted_micros: Mapped[int] = mapped_column(server_default="0")
    posted_seconds: Mapped[int] = mapped_column(server_default="0")
    posted_octets: Mapped[int] = mapped_column(server_default="0")


class UsageCharge(Base):
    """Posted pay-as-you-go of a local day, tax included: a piece a posting, subscription and
    tariff window (rules P2, I1).

    `to_bill`: a bill will hold it, `invoice_id` the one that does; else it was paid from the wallet
    for good when it was posted. `entry_id` posted it; None: there was no charge, or it is older.
    """

    __tablename__ = "usage_charge"
    __table_args__ = (
        CheckConstraint("to_bill OR invoice_id IS NULL", name="billed"),
        Index(
            "usage_charge_uninvoiced_idx",
            "customer_id",
            "subscription_id",
            postgresql_where=text("to_bill AND invoice_id IS NULL"),
        ),
        Index(
            "usage_charge_invoice_idx",
            "customer_id",
            "invoice_id",
            postgresql_where=text("invoice_id IS NOT NULL"),
        ),
    )

    customer_id: Mapped[CustomerKey]
    usage_charge_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    subscription_id: Mapped[int]
    wallet_id: Mapped[int]
    local_day: Mapped[date]
    tariff_window: Mapped[str] = mapped_column(server_default="")
    seconds: Mapped[int]
    octets: Mapped[int]
    gross_micros: Mapped[int]
    tax_micros: Mapped[int]
    tax_rate_ppm: Mapped[Int | None]
    """Its plan's own; NULL: the billing profile's (rule I1)."""
    to_bill: Mapped[bool]
    entry_id: Mapped[int | None]
    invoice_id: Mapped[int | None]


class Anomaly(Base):
    """Something odd in a record or a part, stored for people to look at."""

    __tablename__ = "anomaly"
    __table_args__ = (Index("anomaly_at_idx", "at"),)

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    anomaly_id: Mapped[int] = serial_key()
    at: Mapped[datetime]
    org_id: Mapped[int | None]
    subscription_id: Mapped[int]
    session_id: Mapped[int]
    nas_id: Mapped[int]
    code: Mapped[str]
    detail: Mapped[str]

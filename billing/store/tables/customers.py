"""Customers, their subscriptions (RADIUS identities) and what they bought."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Address, Base, CustomerKey, Int, OrgId, serial_key


class Customer(Base):
    """Who pays. Every service locks this row first (radius.md F15)."""

    __tablename__ = "customer"

    customer_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    profile_id: Mapped[int] = mapped_column(ForeignKey("billing_profile.profile_id"))
    name: Mapped[str]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    locale: Mapped[str] = mapped_column(server_default="en")
    """The language of its messages, too."""
    alert_addresses: Mapped[list[str]] = mapped_column(server_default="{}")
    """Where its messages go; to `email` where there is none."""
    alert_numbers: Mapped[list[str]] = mapped_column(server_default="{}")
    """Telephone numbers (E.164) that the operator's webhook is told its messages for."""
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    discontinue_on: Mapped[date | None]
    promise_until: Mapped[date | None]
    postal_address: Mapped[str | None]
    """Lines, as on a letter; with `tax_id` it stands on bills."""
    tax_id: Mapped[str | None]
    country: Mapped[str | None]
    """Two capital letters; its organisation's where there is none."""
    monthly_statement: Mapped[bool | None]
    """Whether it gets a statement of account each month; NULL: as its profile says."""
    stated_until: Mapped[date | None]
    """It has got the statements of days before this one."""


class Login(Base):
    """Folded user name → ids. A table of its own, so that names stay unique when customers are
    distributed; no foreign key for the same reason."""

    __tablename__ = "login"
    __table_args__ = (Index("login_subscription_idx", "subscription_id"),)

    username: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    subscription_id: Mapped[int]
    org_id: Mapped[OrgId]


class Subscription(Base):
    """A RADIUS identity with a plan. Secrets are AES-GCM sealed or hashed (rule A2).

    `requires_entitlement` and the wallet's credit limit are compiled from the billing profile
    by Python, for the meter. `reserves`: a session of it has held a reservation, so that the
    meter must look for one (rule Q4).
    """

    __tablename__ = "subscription"
    __table_args__ = (
        CheckConstraint(
            "hold_behaviour IS NULL OR hold_behaviour IN ('reject', 'suspended_pool')",
            name="hold_behaviour",
        ),
        CheckConstraint(
            "service_notice IN ('due', 'suspended', 'exhausted')", name="service_notice"
        ),
        Index("subscription_username_idx", "username"),
        Index(
            "subscription_framed_ip_idx",
            "framed_ip",
            postgresql_where=text("framed_ip IS NOT NULL"),
        ),
        *(
            Index(
                f"subscription_{name}_idx",
                name,
                postgresql_using="gist",
                postgresql_ops={name: "inet_ops"},
                postgresql_where=text(f"{name} IS NOT NULL"),
            )
            for name in ("framed_ipv6_prefix", "delegated_ipv6_prefix", "framed_ipv6_address")
        ),
    )

    customer_id: Mapped[CustomerKey]
    subscription_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    username: Mapped[str]
    profile_id: Mapped[int | None] = mapped_column(ForeignKey("billing_profile.profile_id"))
    wallet_id: Mapped[int]
    plan_version_id: Mapped[int | None] = mapped_column(ForeignKey("plan_version.plan_version_id"))
    requires_entitlement: Mapped[bool]
    reserves: Mapped[bool] = mapped_column(server_default=text("false"))
    secret_sealed: Mapped[bytes | None]
    nt_hash: Mapped[bytes | None]
    pbkdf2: Mapped[str | None]
    framed_ip: Mapped[Address | None]
    framed_ipv6_prefix: Mapped[Address | None]
    delegated_ipv6_prefix: Mapped[Address | None]
    framed_ipv6_address: Mapped[Address | None]
    reply_attributes: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    """Fields of `billing.model.own_reply.ReplyAttribute`; NULL where there is none."""
    speed_up_kbps: Mapped[int | None]
    speed_down_kbps: Mapped[int | None]
    allowed_nas_ids: Mapped[list[int] | None]
    allowed_macs: Mapped[list[str] | None]
    login_hours: Mapped[str | None]
    session_limit: Mapped[int | None]
    billed_from: Mapped[date | None]
    """Automatic bills cover no local day before, as another profile held then (rule B14)."""
    packages_until: Mapped[date | None]
    """In arrears: the day after the last cycle whose package has come (rule B6)."""
    on_hold_since: Mapped[datetime | None]
    """Recurring prepaid: its wallet did not cover the period that had begun then; no charges accrue
    until it does (rule P10)."""
    renews: Mapped[bool] = mapped_column(server_default=text("false"))
    """Daily: the last package's plan is bought again at its end (rule P10)."""
    renews_at: Mapped[datetime | None]
    """When its next period or package is to be paid from the wallet; None: no recurring prepaid, or
    it waits for a credit."""
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    hold_note: Mapped[str | None]
    hold_until: Mapped[datetime | None]
    hold_behaviour: Mapped[str | None]
    paused_at: Mapped[datetime | None]
    service_rule: Mapped[str] = mapped_column(server_default="S8")
    """The state that running sessions were last brought in line with (table S)."""
    service_checked_at: Mapped[datetime | None]
    service_notice: Mapped[str | None]
    """What the customer was told last of its service (services.notices), until it is back; `due`:
    the meter has cut it, and nobody was told yet."""
    service_next_change_at: Mapped[datetime | None]
    """When time alone may change the state; the sweep looks again then."""
    service_speed: Mapped[str | None]
    """`up/down` in kbit/s that running sessions were last brought in line with."""
    capped_up_kbps: Mapped[int | None]
    capped_down_kbps: Mapped[int | None]
    capped_by_octets: Mapped[int | None]
    """What the step of fair use in force leaves (rule Q2), and after how many octets it began."""
    has_tariff_windows: Mapped[bool] = mapped_column(server_default=text("false"))
    """Its plan or a package has, or had, tariff windows: the meter looks for them (rule Q3)."""


Index(
    "subscription_service_next_change_idx",
    Subscription.service_next_change_at,
    postgresql_where=text("service_next_change_at IS NOT NULL"),
)

Index(
    "subscription_renews_at_idx",
    Subscription.renews_at,
    postgresql_where=text("renews_at IS NOT NULL"),
)


class Entitlement(Base):
    """What a sale created (rules B2, B4, Q1). NULL quantity: not limited.

    `follows`: starts when the one before it ends; its window is planned and is pulled forward
    when that one is used up early. `valid_from` NULL: waits for the first login.
    """

    __tablename__ = "entitlement"
    __table_args__ = (
        CheckConstraint("seconds_left >= 0", name="seconds_left"),
        CheckConstraint("octets_left >= 0", name="octets_left"),
        CheckConstraint("carried_seconds >= 0 AND carried_octets >= 0", name="carried"),
        CheckConstraint("alerted_percent BETWEEN 0 AND 100", name="alerted_percent"),
        Index(
            "entitlement_rolling_idx",
            "customer_id",
            "subscription_id",
            postgresql_where=text("rolls_over"),
        ),
        Index(
            "entitlement_open_idx",
            "customer_id",
            "subscription_id",
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    customer_id: Mapped[CustomerKey]
    entitlement_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    subscription_id: Mapped[int]
    plan_version_id: Mapped[int] = mapped_column(ForeignKey("plan_version.plan_version_id"))
    use_order: Mapped[Int] = mapped_column(server_default="50")
    follows: Mapped[bool]
    validity_minutes: Mapped[int | None]
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    seconds_total: Mapped[int | None]
    seconds_left: Mapped[int | None]
    octets_total: Mapped[int | None]
    octets_left: Mapped[int | None]
    price_micros: Mapped[int]
    purchased_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    """When it was used up or given back; expiry by time alone does not set it."""
    alerted_percent: Mapped[Int] = mapped_column(server_default="0")
    """The highest level of use that was told (rule P6)."""
    alert_seconds_left: Mapped[int | None]
    alert_octets_left: Mapped[int | None]
    """The next level, as what is left then; the meter has it told. NULL: not armed."""
    rolls_over: Mapped[bool] = mapped_column(server_default=text("false"))
    """Its plan's; false again when nothing of it can change any more (rule B4)."""
    carried_from_id: Mapped[int | None]
    """The package before it whose rest it has got, where that rolls over (rule B4)."""
    carried_seconds: Mapped[int] = mapped_column(server_default="0")
    carried_octets: Mapped[int] = mapped_column(server_default="0")
    """What that was: a part of its own total and of what is left."""
    carried_at: Mapped[datetime | None]
    """When it was raised by it last."""
    entry_id: Mapped[int | None]
    """Its sale's journal entry; None where it was free, or came with a bill or an import."""

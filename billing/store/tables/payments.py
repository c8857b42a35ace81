"""Gateways, payments by them, what providers said, money of nobody yet (P1, P5, P7)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, CustomerKey, Int, OrgId, serial_key

_OPEN = "state IN ('created', 'pending', 'unknown')"


class Gateway(Base):
    """A provider that an organisation takes money by. `hook_token` names it in the address that
    the provider calls; what is secret is sealed (security.md 10)."""

    __tablename__ = "gateway"
    __table_args__ = (
        UniqueConstraint("org_id", "name"),
        UniqueConstraint("hook_token"),
    )

    gateway_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    name: Mapped[str]
    adapter: Mapped[str]
    channel: Mapped[str]
    """What its money is kept as (rule P1)."""
    settings: Mapped[dict[str, str]] = mapped_column(JSONB(), server_default="{}")
    secrets_sealed: Mapped[bytes]
    hook_token: Mapped[str]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class PaymentMethod(Base):
    """A method on file: the provider's token, never a number (security.md 11)."""

    __tablename__ = "payment_method"
    __table_args__ = (
        Index(
            "payment_method_once_key",
            "customer_id",
            "gateway_id",
            "reference",
            unique=True,
            postgresql_where=text("removed_at IS NULL"),
        ),
        Index(
            "payment_method_default_key",
            "customer_id",
            unique=True,
            postgresql_where=text("is_default"),
        ),
        Index(
            "payment_method_detach_idx", "detach_at", postgresql_where=text("detach_at IS NOT NULL")
        ),
    )

    customer_id: Mapped[CustomerKey]
    method_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateway.gateway_id"))
    reference: Mapped[str]
    payer: Mapped[str | None]
    label: Mapped[str]
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    expires_on: Mapped[date | None]
    """Its last day."""
    is_default: Mapped[bool] = mapped_column(server_default="false")
    detach_at: Mapped[datetime | None]
    """When its provider is told that it was removed, again where it gave no answer."""
    detach_tries: Mapped[Int] = mapped_column(server_default="0")


class MethodSetup(Base):
    """A method that is put on file at the provider's page, without a payment. `key` and `due_at` as
    of a payment; no money hangs on it."""

    __tablename__ = "method_setup"
    __table_args__ = (
        CheckConstraint("state IN ('created', 'pending', 'done', 'failed')", name="state"),
        CheckConstraint("(method_id IS NOT NULL) = (state = 'done')", name="done"),
        Index("method_setup_command_key", "customer_id", "command_key", unique=True),
        Index("method_setup_due_idx", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    customer_id: Mapped[CustomerKey]
    setup_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateway.gateway_id"))
    state: Mapped[str]
    key: Mapped[str]
    command_key: Mapped[str]
    return_url: Mapped[str] = mapped_column(server_default="")
    provider_ref: Mapped[str | None]
    redirect_url: Mapped[str | None]
    reason: Mapped[str | None]
    method_id: Mapped[int | None]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    lookups: Mapped[Int] = mapped_column(server_default="0")


class PaymentAttempt(Base):
    """A payment by a gateway, stored before its provider is called (rules/payments.py).

    `key` goes to the provider, the same at every attempt. `due_at`: when somebody calls it, or asks
    it what came of the call; NULL: nothing is awaited. `payment_id`: the money, once it came.
    """

    __tablename__ = "payment_attempt"
    __table_args__ = (
        CheckConstraint("amount_micros > 0", name="amount"),
        CheckConstraint("refunded_micros BETWEEN 0 AND amount_micros", name="refunded"),
        CheckConstraint("charged_back_micros BETWEEN 0 AND amount_micros", name="charged_back"),
        CheckConstraint("purpose IN ('top_up', 'bill', 'recharge', 'prepayment')", name="purpose"),
        CheckConstraint("kind IN ('checkout', 'charge')", name="kind"),
        CheckConstraint(
            "state IN ('created', 'pending', 'unknown', 'succeeded', 'failed', 'cancelled',"
            " 'partly_refunded', 'refunded', 'charged_back')",
            name="state",
        ),
        CheckConstraint(
            "(payment_id IS NOT NULL) ="
            " (state IN ('succeeded', 'partly_refunded', 'refunded', 'charged_back'))",
            name="paid",
        ),
        CheckConstraint(
            "kept_micros > 0 AND kept_currency IS NOT NULL"
            " OR kept_micros IS NULL AND kept_currency IS NULL",
            name="kept",
        ),
        Index("payment_attempt_key_idx", "key"),
        Index("payment_attempt_number_idx", "attempt_id"),
        Index("payment_attempt_created_idx", "created_at", "attempt_id"),
        Index("payment_attempt_provider_idx", "gateway_id", "provider_ref"),
        Index("payment_attempt_due_idx", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index(
            "payment_attempt_command_key",
            "customer_id",
            "command_key",
            unique=True,
            postgresql_where=text("command_key IS NOT NULL"),
        ),
        # At most one recharge of a wallet is on its way (rule P7).
        Index(
            "payment_attempt_one_recharge_key",
            "customer_id",
            "wallet_id",
            unique=True,
            postgresql_where=text(f"purpose = 'recharge' AND {_OPEN}"),
        ),
    )

    customer_id: Mapped[CustomerKey]
    attempt_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    wallet_id: Mapped[int]
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateway.gateway_id"))
    method_id: Mapped[int | None]
    invoice_id: Mapped[int | None]
    purpose: Mapped[str]
    kind: Mapped[str]
    saves_method: Mapped[bool] = mapped_column(server_default="false")
    state: Mapped[str]
    amount_micros: Mapped[int]
    currency: Mapped[str]
    refunded_micros: Mapped[int] = mapped_column(server_default="0")
    charged_back_micros: Mapped[int] = mapped_column(server_default="0")
    key: Mapped[str]
    command_key: Mapped[str | None]
    text: Mapped[str]
    return_url: Mapped[str] = mapped_column(server_default="")
    provider_ref: Mapped[str | None]
    redirect_url: Mapped[str | None]
    decline: Mapped[str | None]
    reason: Mapped[str | None]
    requested_by: Mapped[str]
    follows_id: Mapped[int | None]
    """The recharge whose bank wants the payer to confirm, which this one asks for."""
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    lookups: Mapped[Int] = mapped_column(server_default="0")
    payment_id: Mapped[int | None]
    prepayment_id: Mapped[int | None]
    """The request for money that it pays (rule P5)."""
    kept_micros: Mapped[int | None]
    kept_currency: Mapped[str | None]
    """What came in its stead and waits in suspense: not what was asked for (rule P1)."""


class PaymentReversal(Base):
    """A refund, or a chargeback: a part of a payment that goes back. `entry_id` takes it from the
    wallet, at once; `payout_entry_id` from the money that came in, when it has gone."""

    __tablename__ = "payment_reversal"
    __table_args__ = (
        CheckConstraint("amount_micros > 0", name="amount"),
        CheckConstraint("kind IN ('refund', 'chargeback')", name="kind"),
        CheckConstraint(
            "state IN ('created', 'pending', 'unknown', 'succeeded', 'failed', 'won')",
            name="state",
        ),
        Index("payment_reversal_attempt_idx", "customer_id", "attempt_id"),
        Index("payment_reversal_key_idx", "key"),
        Index("payment_reversal_due_idx", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index(
            "payment_reversal_provider_key",
            "customer_id",
            "attempt_id",
            "provider_ref",
            unique=True,
            postgresql_where=text("provider_ref IS NOT NULL"),
        ),
        Index("payment_reversal_command_key", "customer_id", "command_key", unique=True),
    )

    customer_id: Mapped[CustomerKey]
    reversal_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    attempt_id: Mapped[int]
    kind: Mapped[str]
    state: Mapped[str]
    amount_micros: Mapped[int]
    currency: Mapped[str]
    key: Mapped[str | None]
    command_key: Mapped[str | None]
    provider_ref: Mapped[str | None]
    reason: Mapped[str]
    requested_by: Mapped[str]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    lookups: Mapped[Int] = mapped_column(server_default="0")
    entry_id: Mapped[int | None]
    payout_entry_id: Mapped[int | None]


class ProviderEvent(Base):
    """What a provider told us, as it came; each once (security.md 12). `facts`: what the adapter
    read in it."""

    __tablename__ = "provider_event"
    __table_args__ = (
        CheckConstraint(
            "outcome IN ('applied', 'no_effect', 'waiting', 'mismatch', 'unmatched')",
            name="outcome",
        ),
        Index("provider_event_attempt_idx", "customer_id", "attempt_id"),
        Index("provider_event_received_idx", "received_at"),
        Index(
            "provider_event_unmatched_idx",
            "gateway_id",
            text("(facts ->> 'provider_ref')"),
            postgresql_where=text("outcome = 'unmatched'"),
        ),
    )

    gateway_id: Mapped[int] = mapped_column(
        ForeignKey("gateway.gateway_id"), primary_key=True, autoincrement=False
    )
    event_id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[OrgId]
    kind: Mapped[str]
    body: Mapped[bytes]
    facts: Mapped[dict[str, object]] = mapped_column(JSONB())
    received_at: Mapped[datetime]
    customer_id: Mapped[int | None]
    attempt_id: Mapped[int | None]
    outcome: Mapped[str]
    detail: Mapped[str]


class Suspense(Base):
    """Money that came in and is nobody's yet (rule P1); in the journal when its payer is known."""

    __tablename__ = "suspense"
    __table_args__ = (
        CheckConstraint("amount_micros > 0", name="amount"),
        CheckConstraint("moved_micros BETWEEN 0 AND amount_micros", name="moved"),
        UniqueConstraint(
            "org_id", "gateway_id", "channel", "reference", postgresql_nulls_not_distinct=True
        ),
    )

    suspense_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    gateway_id: Mapped[int | None] = mapped_column(ForeignKey("gateway.gateway_id"))
    channel: Mapped[str]
    amount_micros: Mapped[int]
    currency: Mapped[str]
    reference: Mapped[str]
    note: Mapped[str]
    received_at: Mapped[datetime]
    moved_micros: Mapped[int] = mapped_column(server_default="0")
    taken_by: Mapped[str] = mapped_column(server_default="")
    """Who took it; empty: a gateway did."""


class SuspenseMove(Base):
    """A part of it that was matched to a customer (with the payment it became), or given back to
    whom it came from; or a match that was undone. Append-only."""

    __tablename__ = "suspense_move"
    __table_args__ = (CheckConstraint("amount_micros > 0", name="amount"),)

    move_id: Mapped[int] = serial_key()
    suspense_id: Mapped[int] = mapped_column(ForeignKey("suspense.suspense_id"), index=True)
    org_id: Mapped[OrgId]
    at: Mapped[datetime]
    amount_micros: Mapped[int]
    customer_id: Mapped[int | None]
    payment_id: Mapped[int | None]
    note: Mapped[str]
    actor: Mapped[str]
    undoes_id: Mapped[int | None] = mapped_column(unique=True)
    """The match that it takes back."""


class AutoRecharge(Base):
    """A wallet that is topped up by itself from a method on file (rules P5, P7). `declines`: soft
    ones in a row; `paused_for`: in words, until the customer acts."""

    __tablename__ = "auto_recharge"
    __table_args__ = (
        CheckConstraint("amount_micros > 0", name="amount"),
        CheckConstraint("cap_day_micros > 0 AND cap_month_micros > 0", name="caps"),
        CheckConstraint("declines BETWEEN 0 AND 4", name="declines"),
    )

    customer_id: Mapped[CustomerKey]
    wallet_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[OrgId]
    method_id: Mapped[int]
    threshold_micros: Mapped[int]
    amount_micros: Mapped[int]
    cap_day_micros: Mapped[int | None]
    cap_month_micros: Mapped[int | None]
    declines: Mapped[Int] = mapped_column(server_default="0")
    retry_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    paused_for: Mapped[str | None]
    set_at: Mapped[datetime]


class Prepayment(Base):
    """Manual funding (rule P5): what a wallet is asked for each local month."""

    __tablename__ = "prepayment"
    __table_args__ = (CheckConstraint("amount_micros > 0", name="amount"),)

    customer_id: Mapped[CustomerKey]
    wallet_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[OrgId]
    amount_micros: Mapped[int]
    due_days: Mapped[Int]
    set_at: Mapped[datetime]


class PrepaymentInvoice(Base):
    """One month's request for money. Nothing is owed by it: what is paid is credited then."""

    __tablename__ = "prepayment_invoice"
    __table_args__ = (
        CheckConstraint("amount_micros > 0", name="amount"),
        UniqueConstraint("customer_id", "wallet_id", "month"),
        Index("prepayment_invoice_number_idx", "number"),
    )

    customer_id: Mapped[CustomerKey]
    prepayment_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    wallet_id: Mapped[int]
    number: Mapped[str]
    month: Mapped[date]
    """Its first local day."""
    amount_micros: Mapped[int]
    currency: Mapped[str]
    issued_at: Mapped[datetime]
    due_on: Mapped[date]
    paid_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    payment_id: Mapped[int | None]

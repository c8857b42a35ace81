"""Payments by a gateway: what becomes of each, and what is said to and by a provider (P1, M5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from billing.model.commerce import MoneyChannel
from billing.model.money import MICROS_PER_UNIT, Money, minor_digits


class PaymentState(StrEnum):
    """`CREATED`: stored, the provider knows nothing. `PENDING`: it was called, or works on it, or
    waits for the payer. `UNKNOWN`: it gave no answer that could be understood, and is asked before
    anything else is done. `CHARGED_BACK`: in whole or in part, whatever was refunded beside."""

    CREATED = "created"
    PENDING = "pending"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    CHARGED_BACK = "charged_back"

    @property
    def is_open(self) -> bool:
        """Its outcome is still to come."""
        return self in _OPEN

    @property
    def has_paid(self) -> bool:
        """Its money came in, whatever was given back of it."""
        return self in _PAID


_OPEN = frozenset({PaymentState.CREATED, PaymentState.PENDING, PaymentState.UNKNOWN})
_PAID = frozenset(
    {
        PaymentState.SUCCEEDED,
        PaymentState.PARTLY_REFUNDED,
        PaymentState.REFUNDED,
        PaymentState.CHARGED_BACK,
    }
)


class PaymentEvent(StrEnum):
    """What happens to a payment; told by us (SENT, NO_ANSWER) or by the provider."""

    SENT = "sent"
    NO_ANSWER = "no_answer"
    WAITS = "waits"
    PAID = "paid"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    CHARGED_BACK = "charged_back"
    CHARGEBACK_WON = "chargeback_won"

    @property
    def is_reversal(self) -> bool:
        """It is about a part of a payment that came in, with a reference of its own."""
        return self in _REVERSALS


_REVERSALS = frozenset(
    {
        PaymentEvent.REFUNDED,
        PaymentEvent.REFUND_FAILED,
        PaymentEvent.CHARGED_BACK,
        PaymentEvent.CHARGEBACK_WON,
    }
)


class PaymentPurpose(StrEnum):
    """`RECHARGE`: a top-up that auto-recharge asked for (rule P7). `PREPAYMENT`: of a prepayment
    invoice (rule P5)."""

    TOP_UP = "top_up"
    BILL = "bill"
    RECHARGE = "recharge"
    PREPAYMENT = "prepayment"


class PaymentKind(StrEnum):
    """`CHECKOUT`: the payer pays at the provider's page. `CHARGE`: a saved method is charged while
    the payer is away."""

    CHECKOUT = "checkout"
    CHARGE = "charge"


class DeclineKind(StrEnum):
    """`SOFT` may go well another day. `HARD` will not. `AUTHENTICATION`: the payer must confirm."""

    SOFT = "soft"
    HARD = "hard"
    AUTHENTICATION = "authentication"


class ReversalKind(StrEnum):
    REFUND = "refund"
    CHARGEBACK = "chargeback"


class ReversalState(StrEnum):
    """As of a payment. `WON`: a chargeback that was given back."""

    CREATED = "created"
    PENDING = "pending"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    WON = "won"

    @property
    def is_open(self) -> bool:
        return self in (ReversalState.CREATED, ReversalState.PENDING, ReversalState.UNKNOWN)


class Outcome(StrEnum):
    """What came of asking a provider. `NO_ANSWER`: none in time, or none that could be understood.
    `NOT_FOUND`: it knows nothing of what it is asked about. `PAID` of a method that is put on file:
    it is."""

    PAID = "paid"
    WAITS = "waits"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    NO_ANSWER = "no_answer"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a gateway can do, and under which channel its money is kept. `by_file`: its payments
    wait for a file, and it is never called. `page_hosts`: whom a payer's browser speaks to at its
    page (`*.x`: those below x), so that guests of a hotspot may before they are logged in."""

    channel: MoneyChannel
    checkout: bool = True
    saves_methods: bool = False
    refunds: bool = False
    partial_refunds: bool = False
    by_file: bool = False
    page_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOrder:
    """What a provider is asked for. `key` is the same at every attempt, and the provider keeps it
    with the payment. `method`: a saved one's reference, of a charge. `payer`: the provider's
    reference of the customer, where it has one. `phone`: as the customer's page has it, for those
    who ask the payer on the phone instead of a page. `sent_at`: when it was sent, which it is once;
    `sent_ago`: how long before this call, for those who know keys for some time only."""

    key: str
    kind: PaymentKind
    amount: Money
    text: str
    method: str | None = None
    payer: str | None = None
    provider_ref: str | None = None
    email: str | None = None
    phone: str | None = None
    return_url: str = ""
    saves_method: bool = False
    sent_at: datetime | None = None
    sent_ago: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """`payment_ref`: the provider's reference of the payment; `provider_ref`: of the refund;
    `sent_ago`: as of a payment."""

    key: str
    payment_ref: str
    payment_key: str
    amount: Money
    provider_ref: str | None = None
    sent_ago: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedMethod:
    """`reference` is a token of the provider; no card number is ever seen (security.md 11).
    `label`: brand and last four digits, where it is a card. `expires_on`: its last day."""

    reference: str
    label: str
    payer: str | None = None
    expires_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`amount`: as the provider says, where it does. `redirect_url`: where the payer goes on."""

    outcome: Outcome
    provider_ref: str | None = None
    amount: Money | None = None
    redirect_url: str | None = None
    decline: DeclineKind | None = None
    reason: str | None = None
    method: SavedMethod | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEvent:
    """One event of a provider, its signature checked. `key`: ours, as the provider kept it; of a
    reversal `reversal_key` and `reversal_ref` are the refund's or the dispute's own. `event` None:
    of no interest. `look_up`: of one that has no outcome yet, the provider is to be asked at
    once."""

    event_id: str
    event: PaymentEvent | None
    kind: str
    key: str | None = None
    provider_ref: str | None = None
    amount: Money | None = None
    decline: DeclineKind | None = None
    reason: str | None = None
    reversal_key: str | None = None
    reversal_ref: str | None = None
    method: SavedMethod | None = None
    redirect_url: str | None = None
    look_up: bool = False


class EventOutcome(StrEnum):
    """What became of a provider's event. `WAITING`: a reversal that came before its payment.
    `MISMATCH`: amount or currency are not what was asked for. `UNMATCHED`: of no payment of
    ours."""

    APPLIED = "applied"
    NO_EFFECT = "no_effect"
    WAITING = "waiting"
    MISMATCH = "mismatch"
    UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """How a gateway is reached; `secrets` never leave memory in the clear."""

    gateway_id: int
    name: str
    adapter: str
    settings: dict[str, str]
    secrets: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayView:
    gateway_id: int
    org_id: int
    name: str
    adapter: str
    channel: str
    settings: dict[str, str]
    hook_token: str
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentView:
    """A payment as it stands; amounts in micros."""

    customer_id: int
    attempt_id: int
    org_id: int
    customer_name: str
    wallet_id: int
    gateway_id: int
    gateway: str
    channel: str
    """Of the gateway; empty where it belongs to an organisation that is not seen."""
    purpose: PaymentPurpose
    kind: PaymentKind
    state: PaymentState
    amount_micros: int
    currency: str
    refunded_micros: int
    charged_back_micros: int
    invoice_id: int | None
    key: str
    provider_ref: str | None
    redirect_url: str | None
    decline: DeclineKind | None
    reason: str | None
    payment_id: int | None
    kept: Money | None
    """Money that came, and was not what was asked for: it waits in suspense (rule P1)."""
    created_at: datetime
    sent_at: datetime | None
    settled_at: datetime | None
    due_at: datetime | None
    lookups: int
    requested_by: str

    @property
    def refundable_micros(self) -> int:
        if not self.state.has_paid:
            return 0
        return max(0, self.amount_micros - self.refunded_micros - self.charged_back_micros)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalView:
    reversal_id: int
    kind: ReversalKind
    state: ReversalState
    amount_micros: int
    currency: str
    reason: str
    provider_ref: str | None
    requested_by: str
    created_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    event_id: str
    kind: str
    received_at: datetime
    outcome: EventOutcome
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentHistory:
    """One payment with what was given back of it, and what its provider said."""

    payment: PaymentView
    reversals: tuple[ReversalView, ...]
    events: tuple[EventView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RechargeView:
    """How a wallet is recharged by itself (rule P7); amounts in micros."""

    wallet_id: int
    currency: str
    method_id: int
    method: str
    threshold_micros: int
    amount_micros: int
    cap_day_micros: int | None
    cap_month_micros: int | None
    declines: int
    retry_at: datetime | None
    paused_at: datetime | None
    paused_for: str | None
    pending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspenseView:
    """Money that came and is nobody's yet (rule P1)."""

    suspense_id: int
    org_id: int
    channel: str
    amount_micros: int
    currency: str
    reference: str
    note: str
    received_at: datetime
    left_micros: int


class Unpayable(ValueError):
    """An amount that has no whole number of minor units."""


def to_minor(amount: Money) -> int:
    """Whole minor units: 12.34 USD is 1234, 500 JPY 500. Raises Unpayable."""
    units, rest = divmod(amount.amount_micros, _step(amount.currency))
    if rest:
        raise Unpayable(f"{amount.amount_micros} micros {amount.currency}")
    return units


def from_minor(units: int, currency: str) -> Money:
    return Money(units * _step(currency), currency)


def _step(currency: str) -> int:
    return MICROS_PER_UNIT // int(10 ** minor_digits(currency))

"""Messages to customers: what they are about, how they travel, what has become of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol


class MessageKind(StrEnum):
    """What a message tells. Each has a template of its own."""

    LOW_BALANCE = "low_balance"
    EXHAUSTED = "exhausted"
    RESTORED = "restored"
    INVOICE_ISSUED = "invoice_issued"
    REMINDER = "reminder"
    SUSPENDED = "suspended"
    RECHARGE_FAILED = "recharge_failed"
    VOUCHER_RECEIPT = "voucher_receipt"
    CREDIT_NOTE = "credit_note"
    STATEMENT = "statement"
    ALLOWANCE_USED = "allowance_used"
    PRICE_NOTICE = "price_notice"
    PAYMENT_RECEIVED = "payment_received"
    PREPAYMENT_DUE = "prepayment_due"
    DEBIT_NOTICE = "debit_notice"
    SENDER_CHECK = "sender_check"
    HOTSPOT_CODE = "hotspot_code"


WITH_PAPER = frozenset(
    {
        MessageKind.INVOICE_ISSUED,
        MessageKind.CREDIT_NOTE,
        MessageKind.STATEMENT,
        MessageKind.PAYMENT_RECEIVED,
    }
)
"""Those that speak of a paper, which may go with them (rule I3)."""


class MessageChannel(StrEnum):
    """By which way a customer is told. `PANEL`: it has no address, and nothing is sent."""

    EMAIL = "email"
    WEBHOOK = "webhook"
    PANEL = "panel"


class MessageState(StrEnum):
    """`FAILED`: tried, and tried again later. `GIVEN_UP`: not, unless a person resends it."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    GIVEN_UP = "given_up"


Facts = Mapping[str, object]
"""What a template tells: text, whole numbers, amounts in micros, days as ISO text. No secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDraft:
    """A message to be queued. `idempotency_key` names the event within its customer: the same one
    is queued once."""

    customer_id: int
    kind: MessageKind
    idempotency_key: str
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTemplate:
    """An organisation's own template: MJML for the HTML part; `text` begins with the line
    `Subject: …`, then follows the text part; `sms` is a line for a telephone, None: the product's.
    `language` as Babel writes it: en, pt_BR."""

    language: str
    mjml: str = field(repr=False)
    text: str = field(repr=False)
    sms: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueMessage:
    """A message that a sender has taken; `attempt` counts from 1. `mail_id` is the same at
    every attempt: of a mail its Message-ID without brackets. `expired`: it is too old to be of use.
    """

    customer_id: int
    org_id: int
    message_id: int
    kind: MessageKind
    channel: MessageChannel
    language: str
    addresses: tuple[str, ...]
    facts: Facts = field(repr=False)
    queued_at: datetime
    attempt: int
    mail_id: str
    customer_name: str
    organisation_name: str
    sender: str
    """The organisation's own From address, else the installation's."""
    expired: bool
    own: OwnTemplate | None
    """In the place of the product's template."""
    sender_name: str | None = None
    """Whom it comes from; None: the organisation's name."""
    contact: str | None = None
    """Lines of a reseller, below what it tells."""
    brand_key: str | None = None
    """Of a reseller: with it, links to the customers' pages show its brand."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A PDF that goes with a mail."""

    name: str
    octets: bytes = field(repr=False)


Papers = Callable[[Sequence[DueMessage]], Mapping[int, Attachment]]
"""The papers that messages speak of, by `message_id`; what cannot be set is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """A line of the delivery log."""

    customer_id: int
    message_id: int
    customer_name: str
    kind: MessageKind
    language: str
    channel: MessageChannel
    addresses: tuple[str, ...]
    created_at: datetime
    state: MessageState
    attempts: int
    next_attempt_at: datetime | None
    sent_at: datetime | None
    last_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that a customer was told: `text` in a line, and `messages`, a line for each channel
    it went by."""

    kind: MessageKind
    created_at: datetime
    text: str
    messages: tuple[MessageView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateView:
    """What messages of a kind are made by; `own`: not the product's."""

    kind: MessageKind
    language: str
    mjml: str
    text: str
    sms: str
    own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFigures:
    """What waits to be sent, since when, and what of the last week was given up."""

    waiting: int
    oldest_at: datetime | None
    given_up: int


class Outcome(StrEnum):
    """What came of handing a message over. `LATER`: the relay may take it another time. `LOST`:
    the connection is gone, and whether the message arrived is not known. `NEVER`: refused."""

    SENT = "sent"
    LATER = "later"
    LOST = "lost"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Handed:
    """`reason`: what the other side said, or which addresses of several it refused."""

    outcome: Outcome
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message made ready: `content` is what its channel carries (for mail RFC 5322, for a webhook
    JSON); `key` is the same at every attempt."""

    sender: str
    addresses: tuple[str, ...]
    key: str
    content: bytes = field(repr=False)


class Line(Protocol):
    """An open connection to whoever carries messages on."""

    def send(self, envelope: Envelope) -> Handed:
        """Hand one message over; never raises for what the other side does."""
        ...


class Channel(Protocol):
    """A way to customers: SMTP, and others behind the same interface."""

    way: ClassVar[MessageChannel]

    def open(self) -> AbstractContextManager[Line]:
        """Connect; raises ChannelDown."""
        ...


class ChannelDown(Exception):
    """Whoever carries messages on cannot be reached, or refuses us altogether."""

"""Vouchers (rule R3): batches of codes for a plan or an amount of money. Amounts in micros."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

SERIAL_DIGITS = 8
LOGIN_PREFIX = "voucher-"
UNKNOWN_LOGIN = f"{LOGIN_PREFIX}unknown"
"""What the history calls a login by a code that nobody has: the guess itself is kept nowhere."""


class Alphabet(StrEnum):
    """Characters of codes: none of `mixed` and `letters` looks like another one."""

    MIXED = "mixed"
    LETTERS = "letters"
    DIGITS = "digits"

    @property
    def characters(self) -> str:
        return _CHARACTERS[self]


_CHARACTERS = {
    # 31 and 23: primes, which the check character needs (rules/vouchers.py).
    Alphabet.MIXED: "23456789ABCDEFGHJKMNPQRSTUVWXYZ",
    Alphabet.LETTERS: "ABCDEFGHJKMNPQRSTUVWXYZ",
    Alphabet.DIGITS: "0123456789",
}


class VoucherKind(StrEnum):
    """What a voucher is good for."""

    PLAN = "plan"
    AMOUNT = "amount"


class VoucherState(StrEnum):
    """`CREATED`: in stock, worth nothing yet. `ACTIVE`: sold; what it is good for is owed."""

    CREATED = "created"
    ACTIVE = "active"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFormat:
    """`length` counts the characters behind the prefix, the check character among them.
    `password_length`: of the password beside the code; 0: the code alone (a PIN)."""

    length: int
    alphabet: Alphabet = Alphabet.MIXED
    prefix: str = ""
    password_length: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """A batch to be made. Of `plan_id` and `amount_micros` one is given. `profile_id`: the billing
    profile whose tax a plan's price is reckoned with, and that of subscribers who log in by
    `as_login` vouchers; None: the organisation's for hotspots (rule B13). `expires_at`: from then
    on none of them can be redeemed. `org_id`: the reseller whose they are, whose wallet pays them
    (rule R1); None: the organisation of who makes them."""

    name: str
    count: int
    code: CodeFormat
    profile_id: int | None = None
    plan_id: int | None = None
    amount_micros: int | None = None
    as_login: bool = False
    session_limit: int | None = None
    """Of a subscriber that logs in by one: how many devices at once."""
    expires_at: datetime | None = None
    org_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """A batch with its stock. `face_micros` is what a voucher of it is sold for and worth, tax
    included. `codes_kept`: its codes have not been handed over yet."""

    batch_id: int
    org_id: int
    name: str
    kind: VoucherKind
    plan_name: str | None
    face_micros: int
    currency: str
    code: CodeFormat
    as_login: bool
    made_at: datetime
    expires_at: datetime | None
    codes_kept: bool
    first_serial: int
    last_serial: int
    stock: dict[str, int]
    """How many are in each state."""

    @property
    def count(self) -> int:
        return sum(self.stock.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherView:
    """What support sees of one voucher; never its code."""

    serial: int
    org_id: int
    batch_id: int
    batch_name: str
    state: VoucherState
    face_micros: int
    currency: str
    plan_name: str | None
    expires_at: datetime | None
    activated_at: datetime | None
    ended_at: datetime | None
    """When it was redeemed, revoked, replaced, or its expiry was booked."""
    customer_id: int | None
    """Who redeemed it."""
    subscription_id: int | None
    login_name: str | None
    """The user name that a login by it is known by."""
    replaced_by: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A voucher's secret, as it is handed over once. `password` is empty for a PIN."""

    serial: int
    code: str
    password: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """Vouchers that were sold together; `entry_id` None: worth nothing, so nothing was booked."""

    batch_id: int
    count: int
    total_micros: int
    currency: str
    customer_id: int
    """In whose journal the sale is: the buyer's, or the organisation's counter's."""
    entry_id: int | None
    receipt_number: str | None
    cost_micros: int | None = None
    """What a reseller's wallet paid for them; None: they are not a reseller's."""
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """What a voucher gave. `entitlement_id` None: money for the wallet."""

    serial: int
    customer_id: int
    subscription_id: int | None
    entitlement_id: int | None
    face_micros: int
    currency: str
    plan_name: str | None
    available_micros: int
    receipt_number: str | None
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherReportLine:
    """Of one batch, how many; `outstanding` are sold and neither used nor over."""

    batch_id: int
    name: str
    currency: str
    face_micros: int
    sold: int
    redeemed: int
    lapsed: int
    outstanding: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherRun:
    """What a run of the job did: first logins that were booked, vouchers that lapsed."""

    at: datetime
    logins: int
    expired: int
    parked: int


def serial_text(serial: int) -> str:
    """As it is printed."""
    return f"{serial:0{SERIAL_DIGITS}d}"


def login_name(serial: int) -> str:
    """The user name of the subscriber that logs in by this voucher (rule R3)."""
    return f"{LOGIN_PREFIX}{serial_text(serial)}"

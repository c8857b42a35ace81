"""SEPA direct debit: mandates, files of collections, and what banks say of them (rules P1, P5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from billing.model.money import MICROS_PER_UNIT, Money
from billing.model.payments import PaymentState

CURRENCY = "EUR"
"""SEPA knows no other."""
RETURN_FEE = "return_fee"
"""The setting of a gateway: what a payer is charged whose direct debit comes back, as its profile's
prices are, with or without tax."""
_FEE_MOST = 100


def return_fee(text: str) -> Money:
    """Of what the setting says. Raises ValueError."""
    fee = Money.parse(text or "0", CURRENCY)
    if fee != fee.rounded() or not 0 <= fee.amount_micros <= _FEE_MOST * MICROS_PER_UNIT:
        raise ValueError(f"must be an amount in {CURRENCY}, {_FEE_MOST} at most, like 4.50")
    return fee


class Sequence(StrEnum):
    """What a mandate's next collection is: its first, one of a series, its only one, its last."""

    FIRST = "FRST"
    RECURRING = "RCUR"
    ONE_OFF = "OOFF"
    FINAL = "FNAL"


class MandateState(StrEnum):
    """`REVOKED`: by whoever signed it, by us, or as it may be used no more. `EXPIRED`: it was not
    used for 36 months."""

    SIGNED = "signed"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Creditor:
    """Who collects, as the settings of the gateway say. `lead_days`: between a collection's notice
    and its day. `cut_off_minute`: of the local day, from which on a run counts as the next
    day's."""

    name: str
    creditor_id: str
    lead_days: int
    cut_off_minute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateView:
    """`account`: the IBAN, masked. `used_on`: the day of the last collection."""

    customer_id: int
    mandate_id: int
    gateway_id: int
    method_id: int
    reference: str
    holder: str
    account: str
    bic: str | None
    signed_on: date
    used_on: date | None
    sequence: Sequence
    state: MandateState
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionOrder:
    """One collection as the file has it; the IBAN in the clear. `batch`: which of the file's."""

    end_to_end_id: str
    amount_cents: int
    holder: str
    iban: str
    bic: str | None
    mandate: str
    signed_on: date
    sequence: Sequence
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionFile:
    """What a file is made of."""

    message_id: str
    made_at: datetime
    collect_on: date
    collections: tuple[CollectionOrder, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionView:
    """One collection of a file, and what has become of its payment. `again_id`: the payment that
    collects it again; `may_again`: one may be begun, as far as can be seen."""

    customer_id: int
    customer_name: str
    attempt_id: int
    end_to_end_id: str
    mandate: str
    sequence: Sequence
    amount_micros: int
    invoice_number: str | None
    state: PaymentState
    returned_for: str | None
    again_id: int | None = None
    may_again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileView:
    """`open_count`: collections whose outcome is still to come."""

    file_id: int
    org_id: int
    gateway_id: int
    gateway: str
    message_id: str
    collect_on: date
    collections: int
    total_micros: int
    made_at: datetime
    made_by: str
    open_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a run collected, or would: then there is no `file`, and payments of bills have no number
    yet (0). `left_out`: whose mandate is not good any more, or what was paid meanwhile, in
    words."""

    collect_on: date
    dry_run: bool
    file: FileView | None
    collections: tuple[CollectionView, ...]
    left_out: tuple[str, ...]

    @property
    def total_micros(self) -> int:
        return sum(one.amount_micros for one in self.collections)


class ReturnEffect(StrEnum):
    """What a returned collection did. `KNOWN`: it was told before."""

    FAILED = "failed"
    CHARGED_BACK = "charged_back"
    KNOWN = "known"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnReport:
    attempt_id: int
    customer_id: int
    amount_micros: int
    effect: ReturnEffect
    reason: str
    mandate_revoked: bool

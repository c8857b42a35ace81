"""The books of money as a whole: what a check found, what waits to be posted (rules M4, P2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One contradiction: of `subject`, `found` is stored where `expected` follows from the rest;
    in micros, but for counts of bills. `customer_id` is 0 where it belongs to nobody."""

    problem: str
    customer_id: int
    subject: str
    expected: int
    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerReport:
    """One run of the check; no finding means that the books agree."""

    at: datetime
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageOfDay:
    """Pay-as-you-go of a local day, to be posted; tax included. `own_tax_rate_ppm`:
    where its plan has a rate of its own (rule I1). `to_bill`: a bill will hold it."""

    customer_id: int
    org_id: int
    subscription_id: int
    wallet_id: int
    currency: str
    local_day: date
    tariff_window: str
    tax_rate_ppm: int
    own_tax_rate_ppm: int | None = None
    to_bill: bool
    seconds: int
    octets: int
    gross_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEntry:
    """Usage of a wallet's local day as one entry posts it. `tax_micros` is owed at once,
    `unbilled_tax_micros` with the bill that will hold the usage; of `pieces` each is (usage, its
    tax in micros)."""

    customer_id: int
    org_id: int
    wallet_id: int
    currency: str
    local_day: date
    gross_micros: int
    tax_micros: int
    unbilled_tax_micros: int
    pieces: tuple[tuple[UsageOfDay, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uninvoiced:
    """Of a wallet: rated usage that is on no bill yet, posted or not (rule P2). `owed_micros` of it
    will be owed when it is billed (postpaid); the rest was paid from the wallet as it was used."""

    customer_id: int
    wallet_id: int
    micros: int
    owed_micros: int

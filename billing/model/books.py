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
    """Pay-as-you-go of a local day on a wallet, tax included."""

    wallet_id: int
    local_day: date
    tax_rate_ppm: int
    amount_micros: int

"""Promises to pay, and what a customer may promise itself (rule B19)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class PromiseState(StrEnum):
    """`replaced`: by a later one, before its day."""

    STANDS = "stands"
    KEPT = "kept"
    BROKEN = "broken"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseView:
    """Amounts in micros: what was open of bills when it was made, and what it lends to a wallet.
    `settled_at`: when it was known what became of it."""

    promise_id: int
    made_at: datetime
    by_customer: bool
    until: date
    open_micros: int
    wallet_id: int | None
    credit_micros: int
    currency: str
    state: PromiseState
    settled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseLimits:
    """What customers of a billing profile may promise themselves; `count` 0: nothing."""

    count: int
    period_days: int
    days: int
    amount_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a customer wants to promise, and what it is measured by: amounts in micros, local days.

    `made`: the local days of its promises of the period, oldest first. `standing_until`: the day of
    the promise that stands."""

    until: date
    open_micros: int
    credit_micros: int
    currency: str
    today: date
    made: tuple[date, ...] = ()
    standing_until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseOffer:
    """What a customer's page says of promises. `refused`: why there can be none now, and what to do
    instead. `used_up`: its wallet is, and credit may be asked for, up to `credit_micros`."""

    limits: PromiseLimits
    standing: PromiseView | None
    open_micros: int
    currency: str
    wanted: bool
    """Something is unpaid, not covered or used up."""
    used_up: bool
    credit_micros: int
    latest: date
    left: int
    refused: str | None

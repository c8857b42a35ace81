"""When a wallet is recharged by itself, and what a decline means for the next time (rule P7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing.model.payments import DeclineKind

RETRY_AFTER = timedelta(hours=24)
RETRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the customer has set, and what has come of it; micros."""

    threshold_micros: int
    amount_micros: int
    cap_day_micros: int | None = None
    cap_month_micros: int | None = None
    declines: int = 0
    retry_at: datetime | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What was recharged, or is on its way, in the present local day and month, and their ends."""

    day_micros: int
    month_micros: int
    day_ends_at: datetime
    month_ends_at: datetime


class Verdict(StrEnum):
    DUE = "due"
    ENOUGH = "enough"
    PENDING = "pending"
    PAUSED = "paused"
    RETRIES = "retries"
    CAPPED = "capped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """`look_below_micros`: when less than this is available it must be looked at again, `look_at`:
    then at the latest; None: not because of this."""

    verdict: Verdict
    look_below_micros: int | None = None
    look_at: datetime | None = None


def judge(
    terms: Terms, available_micros: int, spent: Spent, now: datetime, *, pending: bool
) -> Judgement:
    """At the threshold it is due, above it is not. One at a time: what is pending may lift the
    balance, and is waited for."""
    if terms.paused:
        return Judgement(verdict=Verdict.PAUSED)
    if pending:
        return Judgement(verdict=Verdict.PENDING)
    if available_micros > terms.threshold_micros:
        return Judgement(verdict=Verdict.ENOUGH, look_below_micros=terms.threshold_micros + 1)
    if terms.retry_at is not None and now < terms.retry_at:
        return Judgement(verdict=Verdict.RETRIES, look_at=terms.retry_at)
    month, day = terms.cap_month_micros, terms.cap_day_micros
    if month is not None and spent.month_micros + terms.amount_micros > month:
        return Judgement(verdict=Verdict.CAPPED, look_at=spent.month_ends_at)
    if day is not None and spent.day_micros + terms.amount_micros > day:
        return Judgement(verdict=Verdict.CAPPED, look_at=spent.day_ends_at)
    return Judgement(verdict=Verdict.DUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """`retry_at` None: it pauses until the customer acts."""

    declines: int
    retry_at: datetime | None


def after_decline(declines: int, kind: DeclineKind, now: datetime) -> Declined:
    """`declines`: soft ones in a row before this. A soft one is tried again a day later, three
    times; a hard one is not, and who must confirm is asked to."""
    if kind is not DeclineKind.SOFT:
        return Declined(declines=declines, retry_at=None)
    if declines >= RETRIES:
        return Declined(declines=RETRIES + 1, retry_at=None)
    return Declined(declines=declines + 1, retry_at=now + RETRY_AFTER)


def problems(terms: Terms) -> list[tuple[str, str]]:
    """(field, reason) of what cannot be set."""
    found = []
    if terms.threshold_micros < 0:
        found.append(("threshold", "must be 0 or more"))
    for name, cap in (("cap_day", terms.cap_day_micros), ("cap_month", terms.cap_month_micros)):
        if cap is not None and cap < terms.amount_micros:
            found.append((name, "is less than one recharge, which could never be made"))
    return found

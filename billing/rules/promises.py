"""What a customer may promise to pay itself, and whether a promise was kept (rule B19)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from billing.model.money import Money
from billing.model.profile import BillingProfile
from billing.model.promises import Asked, PromiseLimits, PromiseState
from billing.rules.words import day_words

Problem = tuple[str, str]
"""The field at fault, and what to do about it, in words for the customer."""
_STAFF = "your provider takes promises itself: pay, or ask it"


def limits_of(profile: BillingProfile) -> PromiseLimits:
    """Of the customers of a billing profile."""
    return PromiseLimits(
        count=profile.promise_count,
        period_days=profile.promise_period_days,
        days=profile.promise_days,
        amount_micros=profile.promise_amount_micros,
    )


def counted_from(limits: PromiseLimits, today: date) -> date:
    """The first local day of the period that ends today."""
    return today - timedelta(days=limits.period_days - 1)


def latest_day(limits: PromiseLimits, today: date) -> date:
    """The last day that a promise made today may have."""
    return today + timedelta(days=limits.days)


def barred(limits: PromiseLimits, asked: Asked) -> str | None:
    """Why there can be no promise now, whatever it says; None: there may be one."""
    if not limits.count:
        return _STAFF
    if asked.standing_until is not None:
        return (
            f"you have promised to pay by {day_words(asked.standing_until)} already: pay by then,"
            " or ask your provider for more time"
        )
    if len(asked.made) >= limits.count:
        frees = asked.made[len(asked.made) - limits.count]
        again = frees + timedelta(days=limits.period_days)
        times = "one promise" if limits.count == 1 else f"{limits.count} promises"
        return (
            f"{times} in {limits.period_days} days is the most, and the next may be made on"
            f" {day_words(again)}: pay, or ask your provider"
        )
    if asked.open_micros > limits.amount_micros:
        missing = Money(asked.open_micros - limits.amount_micros, asked.currency)
        return (
            f"{Money(asked.open_micros, asked.currency)} is open, and a promise covers up to"
            f" {Money(limits.amount_micros, asked.currency)}: pay {missing} first, or ask your"
            " provider"
        )
    return None


def refusal(limits: PromiseLimits, asked: Asked) -> Problem | None:
    """What is wrong with what a customer wants to promise; None: it may."""
    latest = latest_day(limits, asked.today)
    if (reason := barred(limits, asked)) is not None:
        return "customer", reason
    if not asked.today <= asked.until <= latest:
        return "until", f"choose a day from today to {day_words(latest)}"
    most = limits.amount_micros - asked.open_micros
    if not 0 <= asked.credit_micros <= most:
        return "credit", f"choose an amount up to {Money(most, asked.currency)}"
    return None


def became(ends_at: datetime, now: datetime, *, settled: bool) -> PromiseState:
    """What a promise is at `now`. `settled`: all that was promised was paid before it ended."""
    if settled:
        return PromiseState.KEPT
    return PromiseState.STANDS if now < ends_at else PromiseState.BROKEN

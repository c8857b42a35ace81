"""Which steps of a dunning schedule are due of an unpaid bill, and what they cost (rule I5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from billing.model.dunning import DueStep, DunningSchedule, DunningStep, OpenBill
from billing.model.money import AMOUNT_LIMIT_MICROS, Money
from billing.model.profile import BillingKind, BillingProfile

PPM = 1_000_000
DAYS_LIMIT = 365
STEPS_LIMIT = 20
_ONE_DAY = timedelta(days=1)

Problem = tuple[str, str]
"""The field at fault, and why, in words for the operator."""


def due_steps(schedule: DunningSchedule, bill: OpenBill, today: date) -> list[DueStep]:
    """What is to be done on the local day `today`, in the order of the steps' days.

    After days without a run the fee of every step that was passed is charged, but only the latest
    of their reminders is sent. Nothing while a promise to pay covers `today` (rule B19).
    """
    if held_until(bill, today) is not None:
        return []
    passed = [one for one in planned(schedule, bill) if one.on <= today]
    last_reminder = max((one.on for one in passed if one.reminds), default=None)
    return [replace(one, reminds=one.reminds and one.on == last_reminder) for one in passed]


def planned(schedule: DunningSchedule, bill: OpenBill) -> list[DueStep]:
    """The steps that are still to come, or due, by their days, as they are if nobody pays.

    Left out are those of days up to the bill's issue, when nobody could know of it, and of days
    before the step was set; and all of them where less is open than the schedule tolerates.
    """
    if bill.open_micros <= 0 or bill.open_micros < schedule.tolerance_micros:
        return []
    found = []
    for step in sorted(schedule.steps, key=lambda one: one.days):
        on = bill.due_on + timedelta(days=step.days)
        is_early = on <= bill.issued_on or (step.since is not None and on < step.since)
        if step.days not in bill.done and not is_early:
            fee = late_fee(step, Money(bill.open_micros, bill.currency))
            found.append(
                DueStep(step=step, on=on, reminds=step.reminds, fee_micros=fee.amount_micros)
            )
    return found


def held_until(bill: OpenBill, today: date) -> date | None:
    """The last day of a promise to pay that covers the local day `today` (rule B19)."""
    if bill.promise_until is None or bill.promise_until < today:
        return None
    return bill.promise_until


def next_steps(schedule: DunningSchedule, bill: OpenBill, today: date) -> list[DueStep]:
    """What a run on a later day or today takes, each with the day on which it is taken; a promise
    to pay moves steps to the day after it."""
    held = held_until(bill, today)
    earliest = today if held is None else held + _ONE_DAY
    return [replace(one, on=max(one.on, earliest)) for one in planned(schedule, bill)]


def late_fee(step: DunningStep, open_amount: Money) -> Money:
    """The fixed fee and the share of what is open, rounded half-up, up to the step's bound.

    5.00 and 2 % of 62.26 are 5.00 + 1.25 = 6.25; bound to 6.00 they are 6.00.
    """
    fee = Money(step.fee_micros, open_amount.currency) + open_amount.prorated(step.fee_ppm, PPM)
    if step.fee_most_micros is None or fee.amount_micros <= step.fee_most_micros:
        return fee
    return Money(step.fee_most_micros, open_amount.currency)


def renewed(before: DunningSchedule, wanted: DunningSchedule, today: date) -> DunningSchedule:
    """`wanted` with the day since which each step holds: `today`, but what stays as it was keeps
    its day, so that a change never charges for days that have passed. Where bills are dunned that
    were tolerated before, every step begins anew."""
    tolerates_less = wanted.tolerance_micros < before.tolerance_micros
    known = {} if tolerates_less else {_content(one): one.since for one in before.steps}
    steps = [
        replace(one, since=known.get(_content(one), today))
        for one in sorted(wanted.steps, key=lambda one: one.days)
    ]
    return replace(wanted, steps=tuple(steps))


def problems(schedule: DunningSchedule, profile: BillingProfile, currency: str) -> list[Problem]:
    """Everything that is wrong with a schedule; empty when it may be used."""
    found: list[Problem] = []
    if profile.kind is BillingKind.DAILY:
        if schedule.steps:
            words = "are for monthly profiles: a daily one issues no bills to be late with"
            found.append(("steps", f"{words} (rule B1)"))
        if schedule.reconnection_fee_micros:
            words = "is for monthly profiles: only these are suspended for an unpaid bill"
            found.append(("reconnection_fee", f"{words} (rule B9)"))
    for field, micros in (
        ("tolerance", schedule.tolerance_micros),
        ("reconnection_fee", schedule.reconnection_fee_micros),
    ):
        if reason := _amount_problem(micros, currency):
            found.append((field, reason))
    if len(schedule.steps) > STEPS_LIMIT:
        found.append(("steps", f"at most {STEPS_LIMIT}"))
    days = [step.days for step in schedule.steps]
    for day in sorted({day for day in days if days.count(day) > 1}):
        found.append(("steps", f"two on the same day, {day}: make them one"))
    for step in schedule.steps:
        found += [("steps", f"day {step.days}: {reason}") for reason in _step(step, currency)]
    return found


def _step(step: DunningStep, currency: str) -> Iterator[str]:
    if not -DAYS_LIMIT <= step.days <= DAYS_LIMIT:
        yield f"must be {-DAYS_LIMIT} to {DAYS_LIMIT} days after the payment date"
    if not step.reminds and not step.charges:
        yield "does nothing: let it remind, charge a fee, or both"
    if reason := _amount_problem(step.fee_micros, currency):
        yield f"the fee {reason}"
    if not 0 <= step.fee_ppm <= PPM:
        yield "the percentage must be 0 to 100"
    if step.charges and step.days < 1:
        yield "a fee comes on day 1 or later: the whole of the payment date is payable (rule B9)"
    if step.fee_most_micros is not None:
        if not step.fee_ppm:
            yield "an upper bound is for a percentage; the fixed fee is what it is"
        if step.fee_most_micros == 0:
            yield "the upper bound must be more than zero"
        elif reason := _amount_problem(step.fee_most_micros, currency):
            yield f"the upper bound {reason}"


def _amount_problem(micros: int, currency: str) -> str | None:
    if not 0 <= micros <= AMOUNT_LIMIT_MICROS:
        return "must be 0 or more"
    if Money(micros, currency).rounded().amount_micros != micros:
        return f"is finer than the smallest unit of {currency}"
    return None


def _content(step: DunningStep) -> DunningStep:
    return replace(step, since=None)

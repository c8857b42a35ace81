"""Which steps of a dunning schedule are due of an unpaid bill, and what they cost (rule I5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from billing.model.dunning import DueStep, DunningSchedule, DunningStep, OpenBill
from billing.model.money import Money

PPM = 1_000_000
_ONE_DAY = timedelta(days=1)


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
    if step.fee_most_micros is None:
        return fee
    return Money(min(fee.amount_micros, step.fee_most_micros), open_amount.currency)


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


def _content(step: DunningStep) -> DunningStep:
    return replace(step, since=None)

"""Which cycles a bill run issues bills for (rules B6, B7, B11, B12)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from billing.model.profile import BillIn, BillingProfile
from billing.rules.cycles import Cycle, cycle_of, next_month


def first_unbilled(
    profile: BillingProfile, joined_on: date, billed_until: date | None, bills_from: date
) -> date:
    """The first local day that automatic bills cover.

    `bills_from` is the day on which they were switched on: who was there before is billed from the
    next cycle's start, who came later from the day of joining the profile. `billed_until` is the
    day after what was billed already, by whatever way.
    """
    first = joined_on
    if joined_on < bills_from:
        running = cycle_of(bills_from, profile)
        first = bills_from if running.first_day == bills_from else running.next_first_day
    return max(first, billed_until or first)


def cycles_due(profile: BillingProfile, first: date, today: date) -> Iterator[Cycle]:
    """The cycles from the local day `first` on whose bills are issued by `today`, oldest first; the
    first one may be what is left of a cycle.

    On day 1 of a month: the cycle that begins in that month, or, in arrears, those that have ended
    by then. Later days of the month add what day 1 would have issued, had it been known (rule B7).
    """
    month = today.replace(day=1)
    while True:
        cycle = Cycle(first, cycle_of(first, profile).next_first_day)
        if profile.bill_in is BillIn.ADVANCE:
            due = cycle.first_day < next_month(today)
        else:
            due = cycle.next_first_day <= month
        if not due:
            return
        yield cycle
        first = cycle.next_first_day


def cycles_until(profile: BillingProfile, first: date, until: date) -> Iterator[Cycle]:
    """The cycles from the local day `first` to before `until`, oldest first; the first and the last
    one may be parts: what is billed in arrears when the profile is left (rule B6)."""
    while first < until:
        cycle = Cycle(first, min(cycle_of(first, profile).next_first_day, until))
        yield cycle
        first = cycle.next_first_day


def cycles_to_serve(profile: BillingProfile, first: date, today: date) -> Iterator[Cycle]:
    """The cycles from the local day `first` on whose service runs on `today` or begins tomorrow,
    whenever they are billed; the first one may be what is left of a cycle (rule B6)."""
    tomorrow = today + timedelta(days=1)
    while first <= tomorrow:
        cycle = Cycle(first, cycle_of(first, profile).next_first_day)
        if cycle.next_first_day > today:
            yield cycle
        first = cycle.next_first_day

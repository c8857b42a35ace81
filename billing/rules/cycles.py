"""Local days, billing cycles, payment dates and cut instants (rules M3, B6, B9, B11, B12).

Calendar rules are evaluated in the operator's time zone; the instants that come out are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dateutil.easter import easter
from dateutil.relativedelta import relativedelta

from billing.model.money import Money
from billing.model.profile import BillingProfile, DueBasis

END_OF_TIME = datetime.max.replace(tzinfo=UTC)
"""An instant that never comes; stands for "no end" so that comparisons need no special case."""

MINUTES_PER_HOUR = 60
_ONE_DAY = timedelta(days=1)
_ONE_MONTH = relativedelta(months=1)
_WEEK = frozenset(range(7))
_SATURDAY = 5
# Beside Good Friday and Easter Monday.
_TARGET_HOLIDAYS = frozenset({(1, 1), (5, 1), (12, 25), (12, 26)})


@dataclass(frozen=True, slots=True)
class Cycle:
    """Local days from `first_day` to before `next_first_day` (rule B6)."""

    first_day: date
    next_first_day: date

    @property
    def days(self) -> int:
        return (self.next_first_day - self.first_day).days


@dataclass(frozen=True, slots=True)
class PartialCycle:
    """What is billed of a cycle that is entered late: `amount` = price × days / full_days."""

    first_day: date
    next_first_day: date
    full_days: int
    amount: Money

    @property
    def days(self) -> int:
        return (self.next_first_day - self.first_day).days


def local_day(instant: datetime, time_zone: str) -> date:
    """The operator's calendar day at an instant."""
    return instant.astimezone(ZoneInfo(time_zone)).date()


@lru_cache(maxsize=4096)
def local_instant(day: date, minute_of_day: int, time_zone: str) -> datetime:
    """The UTC instant of a local wall time; `minute_of_day` may be 1440 (the next day begins).

    A time that does not exist moves forward by the gap, one that exists twice means the first
    (rule M3): both are what fold=0 gives.
    """
    days, minute = divmod(minute_of_day, 24 * MINUTES_PER_HOUR)
    wall = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(time_zone))
    wall = wall + timedelta(days=days, minutes=minute)  # wall-clock arithmetic within one zone
    return wall.astimezone(UTC)


def day_start(day: date, time_zone: str) -> datetime:
    """The instant at which a local day begins; a day may have 23 or 25 hours (rule M3)."""
    return local_instant(day, 0, time_zone)


def day_passed_at(day: date, time_zone: str) -> datetime:
    """The instant at which the whole local day has passed: the next one begins (rule B9)."""
    try:
        return day_start(day + _ONE_DAY, time_zone)
    except OverflowError:  # the last day of the calendar, used for "for ever"
        return END_OF_TIME


def cycle_of(day: date, profile: BillingProfile) -> Cycle:
    """The cycle that contains a local day. Day 29–31 clamps to the month's last day (rule B6)."""
    month = day.replace(day=1)
    if day < _first_day_in(month, profile):
        month -= _ONE_MONTH
    return Cycle(_first_day_in(month, profile), _first_day_in(month + _ONE_MONTH, profile))


def cycle_start(day: date, profile: BillingProfile) -> date:
    """The first day of a cycle on or after a local day."""
    cycle = cycle_of(day, profile)
    return day if cycle.first_day == day else cycle.next_first_day


def cycle_at(instant: datetime, profile: BillingProfile, time_zone: str) -> Cycle:
    """The cycle that contains an instant."""
    return cycle_of(local_day(instant, time_zone), profile)


def partial_cycle(
    price: Money, first_day: date, profile: BillingProfile, until: date | None = None
) -> PartialCycle:
    """The share of `price` from a local day to the next cycle's start, or to before the day `until`
    of the same cycle, pro rata by days.

    The first bill of a new customer (rules B11, B12, `first_day` = creation day), the bridge
    after a change of cycle day (rule B6, `first_day` = end of the old cycle), and the last bill in
    arrears.
    """
    cycle = cycle_of(first_day, profile)
    end = until or cycle.next_first_day
    amount = price.prorated((end - first_day).days, cycle.days)
    return PartialCycle(first_day, end, cycle.days, amount)


def due_on(profile: BillingProfile, issued_on: date, cycle_start: date) -> date:
    """The payment date of a bill: a local day, payable for the whole of it (rules B7, B9)."""
    basis = issued_on if profile.due_basis is DueBasis.ISSUE else cycle_start
    return basis + timedelta(days=profile.due_days)


def cut_instant(due_day: date, profile: BillingProfile, time_zone: str) -> datetime | None:
    """When a bill due on `due_day` cuts the service, if nothing else delays it (rule B9).

    None: never, as every weekday is a no-cut day.
    """
    return cut_from(day_passed_at(due_day, time_zone), profile, time_zone)


def cut_from(moment: datetime, profile: BillingProfile, time_zone: str) -> datetime | None:
    """The first cut not before `moment`: at `suspend_at` of a day that is no no-cut day."""
    if moment == END_OF_TIME or profile.no_cut_weekdays >= _WEEK:
        return None
    day = local_day(moment, time_zone)
    while True:
        if day.weekday() not in profile.no_cut_weekdays and day not in profile.no_cut_dates:
            cut = local_instant(day, profile.suspend_at_hour * MINUTES_PER_HOUR, time_zone)
            if cut >= moment:
                return cut
        day += _ONE_DAY


def next_month(day: date) -> date:
    """The first day of the calendar month after a day's."""
    return day.replace(day=1) + _ONE_MONTH


def _first_day_in(month: date, profile: BillingProfile) -> date:
    day = 1 if profile.cycle_ends_with_month else profile.cycle_day
    return month + relativedelta(day=day)


def months_after(day: date, months: int) -> date:
    """The same day so many months later; the last one of a month that is shorter."""
    return day + relativedelta(months=months)


def is_bank_day(day: date) -> bool:
    """Whether banks settle euro payments: not at week-ends and the holidays of TARGET."""
    if day.weekday() >= _SATURDAY or (day.month, day.day) in _TARGET_HOLIDAYS:
        return False
    sunday = easter(day.year)
    return day not in (sunday - 2 * _ONE_DAY, sunday + _ONE_DAY)


def bank_day_from(day: date) -> date:
    """The day itself, or the next on which banks settle."""
    while not is_bank_day(day):
        day += _ONE_DAY
    return day

"""Cycles and shares of them, found by walking days one by one (rules B6, B11, M2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

DAY = timedelta(days=1)
CENT = 10_000
"""Micros of a cent."""


def cents(amount: Fraction) -> int:
    """Micros, rounded half-up (away from zero) to whole cents (rule M2)."""
    whole, rest = divmod(abs(amount), CENT)
    rounded = int(whole + (rest * 2 >= CENT)) * CENT
    return rounded if amount >= 0 else -rounded


def last_day(day: date) -> int:
    """Of the day's month."""
    following = day
    while following.month == day.month:
        following += DAY
    return (following - DAY).day


@dataclass(frozen=True)
class Step:
    """Of a dunning schedule: `days` after a bill's payment date."""

    days: int
    reminds: bool
    fee: int = 0
    fee_ppm: int = 0
    fee_most: int | None = None


@dataclass(frozen=True)
class Terms:
    """A monthly profile that bills by itself; with a dunning schedule where it has `steps`."""

    cycle_day: int
    arrears: bool
    from_cycle_start: bool
    due_days: int
    suspend_hour: int
    no_cut_weekdays: frozenset[int]
    tax_ppm: int
    inclusive: bool
    prepaid: bool = False
    steps: tuple[Step, ...] = ()
    tolerance: int = 0
    reconnection: int = 0

    def begins(self, day: date) -> bool:
        """Whether a cycle begins on the day (rule B6)."""
        return day.day == min(self.cycle_day, last_day(day))

    def end(self, day: date) -> date:
        """The day after the last of the cycle that contains it."""
        day += DAY
        while not self.begins(day):
            day += DAY
        return day

    def length(self, day: date) -> int:
        """Days of the cycle that contains the day."""
        first = day
        while not self.begins(first):
            first -= DAY
        return (self.end(day) - first).days

    def share(self, price_micros: int, first: date, until: date) -> int:
        """Of a cycle's price for the days from `first` to before `until`, each cycle's part rounded
        (rule B11)."""
        total = 0
        while first < until:
            end = min(self.end(first), until)
            part = Fraction((end - first).days, self.length(first))
            total += cents(Fraction(price_micros) * part)
            first = end
        return total


def days_of(first: date, until: date) -> list[date]:
    return [first + DAY * number for number in range((until - first).days)]

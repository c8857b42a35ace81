"""What is given back when a plan is changed, and which plan a day is billed by (rules B17, B18).

A day is billed by one plan: the day of the change is still the old one's, the new one is billed
from the day after. Shares are exact fractions; amounts are rounded once, at the end (rule M2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction

from billing.model.money import Money
from billing.model.plan import MINUTES_PER_DAY, PlanTerms
from billing.model.plan_changes import ChangeState, VersionChange, When
from billing.model.profile import BillingKind, BillingProfile
from billing.rules.cycles import Cycle, cycle_start

_ONE_DAY = timedelta(days=1)
_NOTHING = Fraction(0)
_ALL = Fraction(1)


@dataclass(frozen=True, slots=True)
class BilledLine:
    """A line of a bill that is charged by the day: the plan's, or a discount on it (negative)."""

    net: Money
    days: Cycle
    tax_rate_ppm: int = 0


@dataclass(frozen=True, slots=True)
class Bought:
    """A package as it is: `valid_from` None has not begun. None in a quantity: not limited."""

    validity_minutes: int | None
    valid_from: datetime | None
    valid_until: datetime | None
    seconds_total: int | None = None
    seconds_left: int | None = None
    octets_total: int | None = None
    octets_left: int | None = None


def when_by_price(old: PlanTerms | None, new: PlanTerms) -> When:
    """Dearer by the day, or as dear: now. Cheaper: next (rule B17)."""
    return When.NEXT if old is not None and _cheaper(new, old) else When.NOW


def used_quantities(package: Bought) -> Fraction | None:
    """The smaller share that is left of its seconds and octets; None where neither is limited."""
    shares = [
        Fraction(left, total)
        for left, total in (
            (package.seconds_left, package.seconds_total),
            (package.octets_left, package.octets_total),
        )
        if left is not None and total
    ]
    return min(shares, default=None)


def package_share(package: Bought, now: datetime) -> Fraction:
    """The unused share of a package: its whole days of 24 hours ahead, or what is left of its
    seconds or octets, the smallest counts. Of one that has not begun all; of one that is limited by
    nothing, none can be told."""
    if package.valid_from is None or package.valid_from > now:
        return _ALL
    quantity = used_quantities(package)
    shares = [] if quantity is None else [quantity]
    if package.valid_until is not None:
        shares.append(_unused_days(package, now))
    return min(shares, default=_NOTHING)


def bill_share(
    lines: Sequence[BilledLine],
    net: Money,
    unused: Cycle,
    quantity: Fraction | None = None,
) -> Fraction:
    """The share of a bill of `net` in all that its plan, with the discounts on it, makes up for the
    days `unused`. With `quantity`, what is left of the package that came with it, the smaller of
    both counts."""
    if net.amount_micros <= 0 or unused.days <= 0:
        return _NOTHING
    part = sum((line.net.amount_micros * _overlap(line.days, unused) for line in lines), _NOTHING)
    if quantity is not None:
        whole = Fraction(sum(line.net.amount_micros for line in lines))
        part = min(part, whole * quantity)
    return min(_ALL, max(_NOTHING, part / net.amount_micros))


def given_back(total: Money, share: Fraction, most: Money) -> Money:
    """The share of what was charged, rounded half-up once; never more than `most`, what is left of
    the bill or was paid."""
    amount = total.prorated(share.numerator, share.denominator)
    return min(amount, most, key=lambda one: one.amount_micros)


def version_on(day: date, current: int, changes: Sequence[VersionChange]) -> int:
    """The version of a plan that bills the cycle which begins on the local day `day`.

    Changes carried out are looked back at: what they took over from bills the days before them.
    Those to come are looked ahead at: bills in advance hold their days before they happen.
    """
    dated = sorted((one.effective_on, one.change_id, one) for one in changes if one.effective_on)
    for effective_on, _, one in dated:
        past = one.state is ChangeState.DONE and effective_on > day
        if past and one.from_version_id is not None:
            return one.from_version_id
    ahead = [
        one
        for effective_on, _, one in dated
        if one.state is ChangeState.PENDING and effective_on <= day
    ]
    return ahead[-1].to_version_id if ahead else current


def split(cycles: Iterator[Cycle], days: Sequence[date]) -> Iterator[Cycle]:
    """The cycles, cut where another plan begins within one: a bill for each part."""
    for cycle in cycles:
        edges = sorted({day for day in days if cycle.first_day < day < cycle.next_first_day})
        starts = [cycle.first_day, *edges]
        yield from map(Cycle, starts, [*edges, cycle.next_first_day])


def realigned(effective_on: date | None, today: date, profile: BillingProfile) -> date | None:
    """When a change that waits takes effect under another billing profile (rule B14): with a cycle
    of it, not before; of daily customers when their packages have ended."""
    if profile.kind is BillingKind.DAILY:
        return None
    return cycle_start(effective_on or today + _ONE_DAY, profile)


def _unused_days(package: Bought, now: datetime) -> Fraction:
    if package.valid_until is None or package.valid_from is None:
        return _NOTHING
    days = max(0, (package.valid_until - now) // _ONE_DAY)
    minutes = package.validity_minutes
    if minutes is None:  # taken over from elsewhere, with an end but no length
        minutes = -((package.valid_from - package.valid_until) // timedelta(minutes=1))
    return min(_ALL, Fraction(days * MINUTES_PER_DAY, minutes)) if minutes else _NOTHING


def _overlap(line: Cycle, unused: Cycle) -> Fraction:
    first = max(line.first_day, unused.first_day)
    until = min(line.next_first_day, unused.next_first_day)
    return Fraction(max(0, (until - first).days), line.days)


def _cheaper(one: PlanTerms, other: PlanTerms) -> bool:
    """By the day where both are valid for a limited time; by the month or the package else."""
    minutes, other_minutes = one.validity_minutes, other.validity_minutes
    if minutes is None or other_minutes is None:
        return one.price_micros < other.price_micros
    return one.price_micros * other_minutes < other.price_micros * minutes

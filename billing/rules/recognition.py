"""When revenue is earned of what was sold for a period (rule I6, docs/adr/0019).

By the day where it serves so many days, each alike and the last with what rounding left; by the
share used where it is limited by a quantity alone. What lapses unused is breakage.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from billing.model.plan import PlanTerms
from billing.model.revenue import DeferredItem, Earned, Sold, Step
from billing.rules.cycles import next_month

_ONE_DAY = timedelta(days=1)


def is_deferred(terms: PlanTerms) -> bool:
    """Whether a package is earned over time: without an end and a limit it is when it is sold."""
    return terms.is_limited or terms.validity_minutes is not None


def earned_by(sold: Sold, day: date) -> Earned:
    """What is earned of it by the end of a local day. Never falls from one day to the next, and
    comes to the whole when it is over."""
    used_up, lapsed = sold.used_up_on, _lapses_on(sold)
    if used_up is not None and used_up <= day and (lapsed is None or used_up <= lapsed):
        return Earned(sold.net_micros)
    if lapsed is not None and lapsed <= day:
        served = _served(sold, lapsed)
        return Earned(served, sold.net_micros - served)
    return Earned(_served(sold, day))


def over_on(sold: Sold) -> date | None:
    """The local day with which all of it is earned or lapsed; None while that is not known."""
    last = None if sold.next_first_day is None else sold.next_first_day - _ONE_DAY
    return min((one for one in (sold.used_up_on, sold.lapsed_on, last) if one), default=None)


def steps(item: DeferredItem, through: date, *, closing: bool = False) -> list[Step]:
    """What to post of it up to a local day, in order: at the ends of months and when it is over,
    so that no posting is made for most days; `closing` also at `through` itself."""
    days = {*_month_ends(item.posted_through, through)}
    over = over_on(item.sold)
    if over is not None and over <= through:
        # That it is over may be known late: what is posted already stays where it is.
        days = {day for day in days if day < over}
        days.add(over if over > item.posted_through else through)
    if closing:
        days.add(through)
    found: list[Step] = []
    posted = item.posted
    for day in sorted(days):
        earned = _at_least(posted, earned_by(item.sold, day))
        step = Step(
            day,
            earned.earned_micros - posted.earned_micros,
            earned.breakage_micros - posted.breakage_micros,
        )
        if step.earned_micros or step.breakage_micros:
            found.append(step)
        posted = earned
    return found


def unposted(item: DeferredItem, day: date, settled: Earned | None) -> Earned:
    """What is earned of something that is not over in the ledger by the end of a local day, beyond
    what is posted. `settled`: what the ledger has
    by the next posting, where that is done: usage that was told later counts from then on."""
    earned = _at_least(item.posted, earned_by(item.sold, day))
    if settled is not None:
        earned = Earned(
            _nearer(item.posted.earned_micros, earned.earned_micros, settled.earned_micros),
            _nearer(0, earned.breakage_micros, settled.breakage_micros),
        )
    return Earned(earned.earned_micros - item.posted.earned_micros, earned.breakage_micros)


def given_back(open_micros: Sequence[int], amount_micros: int) -> list[int]:
    """How much is taken of each of several amounts that are deferred, in their proportion, when
    `amount_micros` is given back: what is deferred goes first, and never more than there is."""
    whole = sum(open_micros)
    if amount_micros >= whole:
        return list(open_micros)
    found: list[int] = []
    upto = 0
    for one in open_micros:
        before = _share(amount_micros, upto, whole)
        upto += one
        found.append(_share(amount_micros, upto, whole) - before)
    return found


def month_end(day: date) -> date:
    """The last day of its month."""
    return next_month(day) - _ONE_DAY


def _at_least(posted: Earned, earned: Earned) -> Earned:
    """What was posted stays when its time becomes longer: more is earned once its days catch up,
    and less of it lapses."""
    if abs(earned.earned_micros) >= abs(posted.earned_micros):
        return earned
    lapsed = earned.breakage_micros
    if lapsed:
        lapsed += earned.earned_micros - posted.earned_micros
    return Earned(posted.earned_micros, lapsed)


def _lapses_on(sold: Sold) -> date | None:
    last = None
    if sold.by_use and sold.next_first_day is not None:
        last = sold.next_first_day - _ONE_DAY
    return min((one for one in (sold.lapsed_on, last) if one), default=None)


def _served(sold: Sold, day: date) -> int:
    if sold.by_use:
        return _used(sold, day)
    if sold.first_day is None or sold.next_first_day is None or day < sold.first_day:
        return 0
    days = (sold.next_first_day - sold.first_day).days
    return _share(sold.net_micros, min((day - sold.first_day).days + 1, days), days)


def _used(sold: Sold, day: date) -> int:
    """Where time and data are limited, what is nearer to its end decides."""
    uses = [use for use in sold.uses if use.on <= day]
    shares = [
        _share(sold.net_micros, min(used, total), total)
        for used, total in (
            (sum(use.seconds for use in uses), sold.seconds),
            (sum(use.octets for use in uses), sold.octets),
        )
        if total
    ]
    return max(shares, key=abs, default=0)


def _share(amount: int, part: int, whole: int) -> int:
    """Towards zero, so that discounts are shared as prices are."""
    if not whole:
        return 0
    sign = 1 if amount * part * whole >= 0 else -1
    return sign * (abs(amount * part) // abs(whole))


def _month_ends(after: date, until: date) -> list[date]:
    found: list[date] = []
    day = month_end(after + _ONE_DAY)
    while day <= until:
        found.append(day)
        day = month_end(day + _ONE_DAY)
    return found


def _nearer(least: int, value: int, most: int) -> int:
    """The value, kept between two others, whichever of them is the larger."""
    return sorted((least, value, most))[1]

"""Tariff windows on the calendar: which is in force, when it changes, how usage is split (Q3).

A window is a span between two local wall times, so on the day of a clock change it is longer or
shorter (M3). At every instant at most one is in force: of several that a clock change pushes onto
each other, the first that is listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from billing.model.account import Account
from billing.model.plan import PlanTerms
from billing.model.tariff import TariffWindow, tariff_windows
from billing.rules.cycles import END_OF_TIME, day_passed_at, day_start, local_day, local_instant

Windows = tuple[TariffWindow, ...]

HORIZON = timedelta(days=62)
"""How far ahead limits are looked for; what lasts longer gets none: accounting ends it."""
_DAYS_LOOKED_AHEAD = 9
_ONE_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one instant to another in the same local day and window; None: in no window."""

    since: datetime
    until: datetime
    window: TariffWindow | None

    @property
    def is_free(self) -> bool:
        return self.window is not None and self.window.price is None


@dataclass(frozen=True, slots=True)
class Piece:
    """What belongs to one local day and window of a usage: from and until on both of its axes."""

    day: date
    window: TariffWindow | None
    s_from: int
    s_until: int
    o_from: int
    o_until: int

    @property
    def is_free(self) -> bool:
        return self.window is not None and self.window.price is None


def in_force(package: str | None, plan: str | None) -> Windows:
    """The free windows of one version and the priced ones of another, as `PlanTerms` has them:
    what is free is the package's in use, prices are the subscription's own plan's."""
    free = tuple(one for one in tariff_windows(package) if one.price is None)
    priced = tuple(one for one in tariff_windows(plan) if one.price is not None)
    return free + priced


def windows_of(account: Account) -> Windows:
    """Those that hold for a subscription: without any package its own plan's free ones, too."""
    plan = None if account.plan is None else account.plan.tariff_windows
    package = account.entitlements[0].tariff_windows if account.entitlements else plan
    if package is None and plan is None:
        return ()
    return in_force(package, plan)


def has_windows(account: Account) -> bool:
    """Whether anything that it has, or waits for, has tariff windows."""
    plan = account.plan
    return (plan is not None and plan.tariff_windows is not None) or any(
        bought.tariff_windows is not None for bought in account.entitlements
    )


def window_at(windows: Windows, instant: datetime, time_zone: str) -> TariffWindow | None:
    """The window in force at an instant."""
    for one in _day_stretches(windows, local_day(instant, time_zone), time_zone):
        if one.since <= instant < one.until:
            return one.window
    return None


def next_switch(windows: Windows, now: datetime, time_zone: str) -> datetime | None:
    """When another window, or none, is in force than at `now`; None: never."""
    if not windows:
        return None
    current = window_at(windows, now, time_zone)
    for one in stretches(windows, now, now + _DAYS_LOOKED_AHEAD * _ONE_DAY, time_zone):
        if one.window != current:
            return one.since
    return None


def last_switch(
    windows: Windows, since: datetime, now: datetime, time_zone: str
) -> datetime | None:
    """The latest instant after `since`, up to `now`, at which another window came into force."""
    found, before = None, window_at(windows, since, time_zone)
    for one in stretches(windows, since, now + _MICROSECOND, time_zone):
        if one.window != before:
            found, before = one.since, one.window
    return found


def stretches(
    windows: Windows, since: datetime, until: datetime, time_zone: str
) -> Iterator[Stretch]:
    """What lies between two instants, by local day and window; `until` may be END_OF_TIME."""
    day = local_day(since, time_zone)
    while since < until:
        for one in _day_stretches(windows, day, time_zone):
            if one.until > since < until:
                end = min(one.until, until)
                yield Stretch(since, end, one.window)
                since = end
        day += _ONE_DAY


def free_seconds(windows: Windows, since: datetime, until: datetime, time_zone: str) -> int:
    """Whole seconds between two instants that lie in free windows."""
    free = [
        one.until - one.since for one in stretches(windows, since, until, time_zone) if one.is_free
    ]
    return sum(free, timedelta(0)) // timedelta(seconds=1)


def used_up_at(windows: Windows, since: datetime, seconds: int, time_zone: str) -> datetime:
    """When so many seconds outside of free windows have passed; END_OF_TIME beyond the horizon."""
    left = timedelta(seconds=seconds)
    for one in stretches(windows, since, since + HORIZON, time_zone):
        if one.is_free:
            continue
        if one.until - one.since >= left:
            return one.since + left
        left -= one.until - one.since
    return END_OF_TIME


def spent_at(
    windows: Windows, plan: PlanTerms, since: datetime, spendable_micros: int, time_zone: str
) -> datetime:
    """When time online has cost so much that the next step is not covered; at least one step.

    Steps count on the cumulative time in each price segment (P3), and one that is begun is paid
    whole. END_OF_TIME where time costs nothing, or not so much before the horizon.
    """
    if since == END_OF_TIME:
        return since
    used: dict[str, timedelta] = {}
    paid: dict[str, timedelta] = {}
    left, has_paid = spendable_micros, False
    for one in stretches(windows, since, since + HORIZON, time_zone):
        step_seconds, step_micros = _time_price(one.window, plan)
        if one.is_free or step_seconds is None or not step_micros:
            continue
        name = "" if one.window is None else one.window.name
        step = timedelta(seconds=step_seconds)
        length = one.until - one.since
        rest = paid.get(name, timedelta(0)) - used.get(name, timedelta(0))
        needed = max(0, -(-(length - rest) // step))
        covered = min(needed, left // step_micros)
        if not has_paid and not covered and needed:
            return one.since + step
        if covered < needed:
            return one.since + rest + covered * step
        left -= covered * step_micros
        has_paid = has_paid or covered > 0
        used[name] = used.get(name, timedelta(0)) + length
        paid[name] = paid.get(name, timedelta(0)) + covered * step
    return END_OF_TIME


def pieces(
    windows: Windows,
    since: datetime,
    until: datetime,
    usage: tuple[int, int],
    time_zone: str,
) -> list[Piece]:
    """Seconds and octets that spread evenly over a time, by local day and window (U9, Q3).

    Each boundary lies at the whole part of its share, the last piece takes what is left, so that
    nothing is lost. What took no time belongs to the window that its instant lies in.
    """
    seconds, octets = usage
    whole = (until - since) // _MICROSECOND
    found: list[Piece] = []
    s_done = o_done = 0
    for one in stretches(windows, since, until, time_zone):
        gone = (one.until - since) // _MICROSECOND
        s_until, o_until = seconds * gone // whole, octets * gone // whole
        day = local_day(one.since, time_zone)
        found.append(Piece(day, one.window, s_done, s_until, o_done, o_until))
        s_done, o_done = s_until, o_until
    if not found:
        window = window_at(windows, until, time_zone)
        found.append(Piece(local_day(until, time_zone), window, 0, seconds, 0, octets))
    return found


def _time_price(window: TariffWindow | None, plan: PlanTerms) -> tuple[int | None, int | None]:
    """Step and micros of time in a window, or outside of all."""
    if window is None:
        return plan.payg_second_step, plan.payg_second_step_micros
    price = window.price
    return (None, None) if price is None else (price.second_step, price.second_step_micros)


@lru_cache(maxsize=4096)
def _day_stretches(windows: Windows, day: date, time_zone: str) -> tuple[Stretch, ...]:
    """The whole of a local day, earliest first."""
    begins, ends = day_start(day, time_zone), day_passed_at(day, time_zone)
    spans = [
        (
            local_instant(first, window.from_minute, time_zone),
            local_instant(first, window.until_minute, time_zone),
            window,
        )
        for window in windows
        for first in (day - _ONE_DAY, day)
        if first.weekday() in window.weekdays
    ]
    moments = {begins, ends, *(at for span in spans for at in span[:2] if begins < at < ends)}
    edges = sorted(moments)
    return tuple(
        Stretch(since, until, next((w for a, b, w in spans if a <= since < b), None))
        for since, until in pairwise(edges)
    )

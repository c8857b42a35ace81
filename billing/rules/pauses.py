"""What a pause is good for: validity that stands still, days that are not charged (rule S3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from billing.rules.cycles import Cycle, day_start, local_day

_NONE = timedelta(0)
_ONE_DAY = timedelta(days=1)
YEAR = timedelta(days=365)
"""Of so long before its end the pauses of a subscription count together."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A package's window, and for how long it may stand still in this pause."""

    valid_from: datetime | None
    valid_until: datetime | None
    follows: bool
    allowed: timedelta = _NONE


def allowed(pause_days: int | None, used: timedelta) -> timedelta:
    """What is left of a plan's days of pause a year, when `used` of them were taken."""
    return max(_NONE, timedelta(days=pause_days or 0) - used)


def resumed(
    packages: Sequence[Standing], paused_at: datetime, now: datetime
) -> tuple[list[Standing], timedelta]:
    """The windows after a pause, in the order in which they were bought, and for how long the one
    that stood still longest did.

    A window is longer by exactly the time that passed from the pause, or from its own beginning
    within it, up to now; an hour that a clock skips or repeats is none. What waits behind another
    one begins when that ends, and has what that has left of the days that are allowed.
    """
    moved: list[Standing] = []
    longest = before = _NONE
    old_end: datetime | None = None
    new_end: datetime | None = None
    for one in packages:
        begins, ends = one.valid_from, one.valid_until
        if begins is None or ends is None or ends <= paused_at:
            moved.append(one)
            continue
        length = ends - begins
        if one.follows and begins > paused_at and begins == old_end and new_end is not None:
            begins = new_end
        else:
            before = _NONE
        stood = min(max(_NONE, one.allowed - before), max(_NONE, now - max(paused_at, begins)))
        before += stood
        until = begins + length + stood
        moved.append(Standing(begins, until, one.follows, one.allowed))
        longest = max(longest, before)
        old_end, new_end = max(old_end or ends, ends), max(new_end or until, until)
    return moved, longest


def free_days(
    paused_at: datetime, now: datetime, time_zone: str, pause_days: int | None, used_days: int
) -> Cycle | None:
    """The whole local days of a pause that are not charged, the first ones up to what the plan
    allows a year; None where there are none."""
    first = local_day(paused_at, time_zone)
    if day_start(first, time_zone) < paused_at:
        first += _ONE_DAY
    most = max(0, (pause_days or 0) - used_days)
    until = min(local_day(now, time_zone), _later(first, most))
    return Cycle(first, until) if first < until else None


def own_problem(allowed_days: int, left: timedelta, *, monthly: bool) -> str | None:
    """Why a customer cannot pause its service itself, and what to do; None: it may."""
    if not allowed_days:
        if monthly:
            return "your plan has no pause: ask your provider"
        return "you have no package that can be paused: ask your provider"
    if left <= _NONE:
        return (
            f"the {allowed_days} days of pause a year that your plan has are used up: ask your"
            " provider"
        )
    return None


def _later(day: date, days: int) -> date:
    return day + timedelta(days=days)

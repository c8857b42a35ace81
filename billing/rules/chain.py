"""What the entitlements of a subscription give, one after the other (rules B2, B4, Q1).

Entitlements come in the order of use. One that has begun has a window; one that has not begins
at the first login, or when the one before it ends: by expiry at a known instant, by exhaustion
whenever the subscriber used it up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.model.decision import Reason
from billing.model.making import maker
from billing.model.plan import Entitlement
from billing.rules.cycles import END_OF_TIME
from billing.rules.windows import in_force, used_up_at


@dataclass(frozen=True, slots=True)
class Window:
    """When an entitlement is valid if nobody uses anything. `start` None: waits for a login."""

    entitlement: Entitlement
    start: datetime | None
    end: datetime


@dataclass(frozen=True, slots=True)
class Supply:
    """What a session that begins now may use at most, without a gap.

    `ends_at` is END_OF_TIME when time is not limited, `octets` None when data is not.
    `starts_id` is the entitlement that this login begins (rule B2).
    """

    usable: bool
    ends_at: datetime
    octets: int | None
    starts_id: int | None = None


_make_supply = maker(Supply)


def timeline(entitlements: Sequence[Entitlement], last_ended: Entitlement | None) -> list[Window]:
    """The windows that follow from time alone, in the order of use, used-up ones left out."""
    windows: list[Window] = []
    previous_end = _known_end(last_ended)
    for entitlement in entitlements:
        start: datetime | None = None
        end = END_OF_TIME
        if entitlement.used_up:
            if not windows:
                previous_end = None  # used up at an instant that is not known here
            continue
        if entitlement.valid_from is not None:
            start, end = entitlement.valid_from, entitlement.valid_until or END_OF_TIME
        elif previous_end is not None and entitlement.follows:
            start, end = previous_end, _validity_end(previous_end, entitlement)
        # One that waits for a login has no end, and so nothing behind it has a known start.
        previous_end = max(previous_end, end) if windows and previous_end else end
        windows.append(Window(entitlement, start, end))
    return windows


def supply(
    entitlements: Sequence[Entitlement],
    last_ended: Entitlement | None,
    now: datetime,
    time_zone: str = "UTC",
) -> Supply:
    """What a session beginning now may use: validity, seconds and octets of the whole chain.

    `time_zone` is the operator's, in which a package's free windows lie (rule Q3).

    An upper bound: data used up early makes a follower begin, and so end, earlier; metering
    then ends the session.
    """
    if len(entitlements) == 1:  # nearly every login
        only = entitlements[0]
        if only.valid_from is not None:
            until = only.valid_until or END_OF_TIME
            if not only.valid_from <= now < until or only.used_up:
                return _NOTHING
            return _make_supply(True, _use_end(now, until, only, time_zone), only.octets_left)
    elif not entitlements:
        return _NOTHING
    return _walk(timeline(entitlements, last_ended), now, time_zone)


def usable(
    entitlements: Sequence[Entitlement], last_ended: Entitlement | None, now: datetime
) -> bool:
    """Whether `supply` gives anything, answered without a walk where one package runs."""
    for one in entitlements:
        if one.valid_from is None or one.valid_from > now or one.used_up:
            continue
        if one.valid_until is None or now < one.valid_until:
            return True
    return supply(entitlements, last_ended, now).usable


def ended_reason(
    entitlements: Sequence[Entitlement], last_ended: Entitlement | None, now: datetime
) -> Reason:
    """Why nothing is usable: how the entitlement that ended last came to its end (rule S7)."""
    ended = ended_last(entitlements, last_ended, now)
    if ended is None:
        return Reason.NO_ENTITLEMENT
    if ended.seconds_left == 0:
        return Reason.TIME_USED_UP
    return Reason.DATA_USED_UP if ended.octets_left == 0 else Reason.EXPIRED


def ended_last(
    entitlements: Sequence[Entitlement], last_ended: Entitlement | None, now: datetime
) -> Entitlement | None:
    """The entitlement that ended most recently; those still listed ended after `last_ended`."""
    over = [w for w in timeline(entitlements, last_ended) if w.end <= now]
    if over:
        return max(over, key=lambda window: window.end).entitlement
    used_up = [entitlement for entitlement in entitlements if entitlement.used_up]
    return used_up[-1] if used_up else last_ended


_NOTHING = Supply(False, END_OF_TIME, 0)


def _walk(windows: list[Window], now: datetime, time_zone: str) -> Supply:
    running = any(w.start is not None and w.start <= now < w.end for w in windows)
    reached, octets = now, 0
    usable, data_limited, gap = False, True, False
    starts_id: int | None = None
    for window in windows:
        entitlement, start = window.entitlement, window.start
        if start is not None and (start <= now or not entitlement.follows):
            if start > reached:
                gap = True
                continue
            end = window.end
        elif entitlement.starts_at_first_login or (start is None and not usable):
            if running or starts_id is not None:
                gap = True  # it begins at a later login, when those before it have ended
                continue
            starts_id, end = entitlement.entitlement_id, _validity_end(now, entitlement)
        elif gap or not usable:
            gap = True
            continue
        elif start is not None and start <= reached:
            end = window.end
        else:  # the session uses up what comes before, which brings this one forward
            end = _validity_end(reached, entitlement)
        if end <= now:
            continue
        usable = True
        data_limited = data_limited and entitlement.octets_left is not None
        octets += entitlement.octets_left or 0
        if end > reached:
            reached = _use_end(reached, end, entitlement, time_zone)
    if not usable:
        return _NOTHING
    return Supply(True, reached, octets if data_limited else None, starts_id)


def _use_end(start: datetime, end: datetime, entitlement: Entitlement, time_zone: str) -> datetime:
    """When a session that uses the entitlement from `start` on has used it up, at the latest."""
    if entitlement.seconds_left is None:
        return end
    if entitlement.tariff_windows is not None:
        free = in_force(entitlement.tariff_windows, None)
        return min(end, used_up_at(free, start, entitlement.seconds_left, time_zone))
    return min(end, _later(start, timedelta(seconds=1), entitlement.seconds_left))


def _validity_end(start: datetime, entitlement: Entitlement) -> datetime:
    if entitlement.validity_minutes is None:
        return END_OF_TIME
    return _later(start, timedelta(minutes=1), entitlement.validity_minutes)


def _later(start: datetime, unit: timedelta, count: int) -> datetime:
    try:
        return start + unit * count
    except OverflowError:
        return END_OF_TIME


def _known_end(ended: Entitlement | None) -> datetime | None:
    return None if ended is None or ended.used_up else ended.valid_until

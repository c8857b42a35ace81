"""Login-hours as people write them: `mon-fri 08:00-20:00, sat 09:00-24:00` (rule A4)."""

from __future__ import annotations

import re

from billing.model.account import LoginWindow

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES_PER_HOUR = 60
_MINUTES_PER_DAY = 1440
_PART = re.compile(
    r"(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))?\s+"
    r"(?P<from>\d\d?:\d\d)-(?P<until>\d\d?:\d\d)"
)


def parse_login_hours(text: str) -> tuple[LoginWindow, ...]:
    """The windows, in local time. Raises ValueError that says which part cannot be read.

    A span of days may pass Sunday (`sat-mon`); a span of hours may not pass midnight.
    """
    return tuple(_window(part.strip()) for part in text.casefold().split(","))


def _window(part: str) -> LoginWindow:
    found = _PART.fullmatch(part)
    if found is None:
        raise ValueError(f"cannot read {part!r}: write it like mon-fri 08:00-20:00")
    first = _day(found["first"])
    last = _day(found["last"] or found["first"])
    from_minute, until_minute = _minute(found["from"]), _minute(found["until"])
    if from_minute >= until_minute:
        raise ValueError(f"{part!r} ends before it begins: write two parts for a night")
    span = (last - first) % len(_DAYS) + 1
    return LoginWindow(
        weekdays=frozenset((first + step) % len(_DAYS) for step in range(span)),
        from_minute=from_minute,
        until_minute=until_minute,
    )


def _day(name: str) -> int:
    if name not in _DAYS:
        raise ValueError(f"{name!r} is no weekday: use {', '.join(_DAYS)}")
    return _DAYS.index(name)


def _minute(clock: str) -> int:
    hours, minutes = map(int, clock.split(":"))
    minute = hours * _MINUTES_PER_HOUR + minutes
    if minutes >= _MINUTES_PER_HOUR or minute > _MINUTES_PER_DAY:
        raise ValueError(f"{clock!r} is no time of day: 00:00 to 24:00")
    return minute

"""Login-hours as people write them: `mon-fri 08:00-20:00, sat 09:00-24:00` (rule A4)."""

from __future__ import annotations

import re

from billing.model.account import LoginWindow

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
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
    first = read_weekday(found["first"])
    last = read_weekday(found["last"] or found["first"])
    from_minute, until_minute = read_minute(found["from"]), read_minute(found["until"])
    if from_minute >= until_minute:
        raise ValueError(f"{part!r} ends before it begins: write two parts for a night")
    span = (last - first) % len(WEEKDAYS) + 1
    return LoginWindow(
        weekdays=frozenset((first + step) % len(WEEKDAYS) for step in range(span)),
        from_minute=from_minute,
        until_minute=until_minute,
    )


def read_weekday(name: str) -> int:
    """`mon` is 0. Raises ValueError."""
    if name not in WEEKDAYS:
        raise ValueError(f"{name!r} is no weekday: use {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(name)


def read_minute(clock: str) -> int:
    """The minute of the day of a time like 08:30, 24:00 included. Raises ValueError."""
    hours, minutes = map(int, clock.split(":"))
    minute = hours * _MINUTES_PER_HOUR + minutes
    if minutes >= _MINUTES_PER_HOUR or minute > _MINUTES_PER_DAY:
        raise ValueError(f"{clock!r} is no time of day: 00:00 to 24:00")
    return minute

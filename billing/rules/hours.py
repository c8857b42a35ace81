"""Login-hours: until when a login is allowed now (rule A4)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

from billing.model.account import LoginWindow
from billing.rules.cycles import END_OF_TIME, local_day, local_instant

_DAYS_LOOKED_AHEAD = 9
_WHOLE_WEEK = timedelta(days=7, hours=2)  # no window with a gap in it lasts so long


def allowed_until(
    windows: tuple[LoginWindow, ...], now: datetime, time_zone: str
) -> datetime | None:
    """The end of the login-hours that contain `now`; None outside of them.

    Windows that touch count as one. END_OF_TIME when they cover the whole week. A window is a
    span between two local wall times, so on the day of a clock change it is longer or shorter.
    """
    reached = now
    for start, end in _spans(windows, local_day(now, time_zone), time_zone):
        if start <= reached < end:
            reached = end
    if reached == now:
        return None
    return END_OF_TIME if reached - now > _WHOLE_WEEK else reached


@lru_cache(maxsize=4096)
def _spans(
    windows: tuple[LoginWindow, ...], today: date, time_zone: str
) -> tuple[tuple[datetime, datetime], ...]:
    """The windows of the coming days as instants, earliest first."""
    return tuple(
        sorted(
            (
                local_instant(day, window.from_minute, time_zone),
                local_instant(day, window.until_minute, time_zone),
            )
            for day in (today + timedelta(days=ahead) for ahead in range(_DAYS_LOOKED_AHEAD))
            for window in windows
            if day.weekday() in window.weekdays
        )
    )

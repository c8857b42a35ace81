"""The model's calendar: a usage cut at local midnights and at the edges of windows (U9, M3, Q3).

Written from the rules alone, like the model itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Tariff:
    """Pay-as-you-go prices of steps (P3)."""

    octet_step: int | None
    octet_step_micros: int
    second_step: int | None
    second_step_micros: int

    def micros(self, seconds: int, octets: int) -> int:
        """Price of the cumulative usage of one session: every started step counts whole."""
        total = 0
        if self.second_step is not None:
            total += -(-seconds // self.second_step) * self.second_step_micros
        if self.octet_step is not None:
            total += -(-octets // self.octet_step) * self.octet_step_micros
        return total


@dataclass(frozen=True)
class Window:
    """From a local minute to another of the days on which it begins; no tariff: it is free."""

    name: str
    weekdays: frozenset[int]
    from_minute: int
    until_minute: int
    tariff: Tariff | None


@dataclass(frozen=True)
class Part:
    """What belongs to one local day and window of the usage of a record."""

    day: date
    window: Window | None
    s_from: int
    s_until: int
    o_from: int
    o_until: int

    @property
    def is_free(self) -> bool:
        return self.window is not None and self.window.tariff is None

    @property
    def seconds(self) -> int:
        return self.s_until - self.s_from

    @property
    def octets(self) -> int:
        return self.o_until - self.o_from


def parts_of(
    zone: ZoneInfo,
    windows: Sequence[Window],
    since: datetime,
    until: datetime,
    amounts: tuple[int, int],
) -> list[Part]:
    """Seconds and octets, pro rata to time, by local day and window; nothing is lost."""
    seconds, octets = amounts
    first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    days = [first + timedelta(days=n) for n in range(-1, (last - first).days + 2)]
    edges = {_instant(zone, day, 0) for day in days}
    spans = list(_spans(zone, windows, days))
    for begins, ends, _ in spans:
        edges |= {begins, ends}
    cuts = sorted(edge for edge in edges if since < edge < until)
    found = []
    s_done = o_done = 0
    for begins, ends in zip([since, *cuts], [*cuts, until], strict=True):
        s_until, o_until = seconds, octets
        if ends < until:
            gone, whole = (ends - since) // _MICROSECOND, (until - since) // _MICROSECOND
            s_until, o_until = seconds * gone // whole, octets * gone // whole
        window = next((w for a, b, w in spans if a <= begins < b), None)
        day = begins.astimezone(zone).date()
        found.append(Part(day, window, s_done, s_until, o_done, o_until))
        s_done, o_done = s_until, o_until
    return found


def _spans(
    zone: ZoneInfo, windows: Sequence[Window], days: Sequence[date]
) -> Iterator[tuple[datetime, datetime, Window]]:
    for window in windows:
        for day in days:
            if day.weekday() in window.weekdays:
                begins = _instant(zone, day, window.from_minute)
                yield begins, _instant(zone, day, window.until_minute), window


def _instant(zone: ZoneInfo, day: date, minute: int) -> datetime:
    """fold 0: forward where there is no such time, the first where there are two."""
    passed, minute = divmod(minute, 1440)
    wall = time(minute // 60, minute % 60)
    return datetime.combine(day + timedelta(days=passed), wall, zone).astimezone(UTC)

"""When a record's event happened, as rule U6 says, written apart from the product."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

OLDEST = timedelta(hours=24)
AHEAD = timedelta(minutes=5)
BELIEVED = timedelta(minutes=5)
"""How far Event-Timestamp may be from arrival − Acct-Delay-Time."""


@dataclass(frozen=True)
class Clock:
    """What a NAS tells about time: Event-Timestamp (by a clock that is `offset` wrong) or not,
    Acct-Delay-Time or not."""

    stamps: bool
    delays: bool
    offset: timedelta = timedelta()

    def told(
        self, happened_at: datetime, arrived_at: datetime
    ) -> tuple[int | None, datetime | None]:
        """Acct-Delay-Time in seconds and Event-Timestamp of a packet, None where absent."""
        delay = (arrived_at - happened_at) // timedelta(seconds=1) if self.delays else None
        return delay, happened_at + self.offset if self.stamps else None


def event_time(
    arrived_at: datetime, delay_seconds: int | None, stamp: datetime | None
) -> tuple[datetime, bool]:
    """The instant, and whether a resend of the record gives the same one (U3, U6)."""
    instant = arrived_at - timedelta(seconds=delay_seconds or 0)
    is_precise = delay_seconds is not None
    if stamp is not None and -BELIEVED <= stamp - instant <= BELIEVED:
        instant, is_precise = stamp, True
    if instant < arrived_at - OLDEST:
        return arrived_at - OLDEST, False
    if instant > arrived_at + AHEAD:
        return arrived_at + AHEAD, False
    return instant, is_precise

"""Time and counters of one accounting record (rules U4, U6), pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.model.events import COUNTER_LIMIT
from billing.model.making import maker

OCTETS_PER_GIGAWORD = 2**32
LATEST_AHEAD = timedelta(minutes=5)
OLDEST_BACK = timedelta(hours=24)
# A resend may carry the delay of its first sending: its arrival then runs ahead of the clock of
# the NAS by the seconds between the two. Beyond this the clock of the NAS is not believed.
CLOCK_TOLERANCE = timedelta(minutes=5)

CLOCK_DISAGREES = "clock-disagrees"
EVENT_TIME_CLAMPED = "event-time-clamped"


@dataclass(frozen=True, slots=True)
class EventTime:
    """When the record's event happened. `precise`: a resend of it gives the same instant."""

    at: datetime
    precise: bool
    anomalies: tuple[str, ...] = ()


_make_time = maker(EventTime)


def event_time(
    arrived_at: datetime,
    delay_seconds: int | None,
    event_timestamp: datetime | None,
    *,
    oldest_back: timedelta = OLDEST_BACK,
    latest_ahead: timedelta = LATEST_AHEAD,
) -> EventTime:
    """Arrival − Acct-Delay-Time, cross-checked with Event-Timestamp and clamped (rule U6).

    While both agree within CLOCK_TOLERANCE the NAS's own timestamp stands, because it is the one
    that a resend repeats unchanged (rule U3 compares such instants); when they disagree the clock
    of the NAS is wrong, and arrival − delay stands.
    """
    at = arrived_at
    if delay_seconds:
        # Bounded before the subtraction: a delay of 2^32 − 1 seconds is no date of ours.
        at -= min(timedelta(seconds=min(delay_seconds, 10**9)), oldest_back + latest_ahead)
    precise = delay_seconds is not None
    anomalies: tuple[str, ...] = ()
    if event_timestamp is not None:
        if abs(at - event_timestamp) <= CLOCK_TOLERANCE:
            at, precise = event_timestamp, True
        else:
            anomalies = (CLOCK_DISAGREES,)
    clamped = min(max(at, arrived_at - oldest_back), arrived_at + latest_ahead)
    if clamped != at:
        # The window moves with the arrival, so a resend would give another instant.
        return _make_time(clamped, False, (*anomalies, EVENT_TIME_CLAMPED))
    return _make_time(at, precise, anomalies)


def total_octets(low_octets: int, gigawords: int) -> int | None:
    """gigawords × 2^32 + octets; None when no NAS can have carried that much (rule U4)."""
    if not 0 <= low_octets < OCTETS_PER_GIGAWORD or gigawords < 0:
        return None
    total = gigawords * OCTETS_PER_GIGAWORD + low_octets
    return total if total < COUNTER_LIMIT else None

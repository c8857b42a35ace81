"""What each accounting record of a session adds to all before it (rules U3, U4, U10)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from billing.model.evidence import Gap, JournalRecord

WRAP_OCTETS = 2**32
PLAUSIBLE_OCTETS_PER_SECOND = 125_000_000
"""Above 1 Gbit/s a fallen 32-bit counter is an error of the NAS, not a wrap (rule U4)."""
COUNTER_WRAPPED = "counter-wrapped"
SHORTEST_SILENCE = timedelta(minutes=15)
START, STOP = "Start", "Stop"


class Usage(NamedTuple):
    """Seconds and octets: cumulative, or what was added."""

    seconds: int = 0
    input_octets: int = 0
    output_octets: int = 0

    @property
    def octets(self) -> int:
        return self.input_octets + self.output_octets

    def plus(self, other: Usage) -> Usage:
        return Usage(*(a + b for a, b in zip(self, other, strict=True)))

    def minus(self, other: Usage) -> Usage:
        return Usage(*(a - b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True)
class RecordRead:
    """A record with what it adds to all before it, and the stretch of time that belongs to."""

    record: JournalRecord
    added: Usage
    since: datetime
    is_first: bool
    is_late: bool


def read_records(records: Sequence[JournalRecord], has_gigawords: bool) -> Iterator[RecordRead]:
    """What each record adds, in the order in which they were charged.

    A session whose counters have gigawords (and never wrapped) has wide ones throughout; else
    they are wide from the first record on that shows more than 32 bits. A record without session
    time stands where its event does, from the session's start.
    """
    wrapped = any(COUNTER_WRAPPED in record.anomalies for record in records)
    is_wide = has_gigawords and not wrapped
    before = Usage()
    last_event_at: datetime | None = None
    started_at: datetime | None = None
    sent, received = _Counter(), _Counter()
    for record in records:
        counters = (record.input_octets or 0, record.output_octets or 0)
        begun_at = begins_at(record) or record.event_at
        started_at = started_at or begun_at
        at_seconds = record.seconds
        if at_seconds is None:
            at_seconds = max((record.event_at - started_at) // timedelta(seconds=1), 0)
        started_at = min(started_at, begins_at(record) or started_at)
        is_wide = is_wide or max(counters) >= WRAP_OCTETS
        after = Usage(
            max(before.seconds, record.seconds or 0),
            sent.read(at_seconds, record.input_octets, is_wide=is_wide),
            received.read(at_seconds, record.output_octets, is_wide=is_wide),
        )
        since = begun_at if last_event_at is None else min(last_event_at, record.event_at)
        is_late = last_event_at is not None and record.event_at < last_event_at
        yield RecordRead(record, after.minus(before), since, last_event_at is None, is_late)
        before = after
        last_event_at = max(last_event_at or record.event_at, record.event_at)


def begins_at(record: JournalRecord) -> datetime | None:
    """When its session must have begun; None where the record does not tell."""
    seconds = 0 if record.seconds is None and record.status == START else record.seconds
    return None if seconds is None else record.event_at - timedelta(seconds=seconds)


def gaps(read: Sequence[RecordRead], interim_seconds: int) -> list[Gap]:
    """Where nothing was heard of a session for max(3 × interim, 15 min), as in rule U10."""
    if not read:
        return []
    longest = max(3 * timedelta(seconds=interim_seconds), SHORTEST_SILENCE)
    heard = sorted({read[0].since, *(one.record.event_at for one in read)})
    return [
        Gap(since=since, until=until, seconds=(until - since) // timedelta(seconds=1))
        for since, until in pairwise(heard)
        if until - since > longest
    ]


class _Counter:
    """One octet counter over the records of a session; its total only rises (rule U4)."""

    def __init__(self) -> None:
        self.total = 0
        self._values: list[tuple[int, int]] = []
        self._unwrapped, self._wraps = 0, 0

    def read(self, at_seconds: int, value: int | None, *, is_wide: bool) -> int:
        """Take a reading in; the new total. 32-bit counters are put in order of session time."""
        if value is not None:
            place = bisect_right(self._values, (at_seconds, value))
            self._values.insert(place, (at_seconds, value))
            if is_wide:
                self.total = max(self.total, value)
            elif place == len(self._values) - 1:
                self._follow(place)
            else:
                for earlier in range(len(self._values)):
                    self._follow(earlier)
        if not is_wide:
            self.total = max(self.total, self._unwrapped)
        return self.total

    def _follow(self, place: int) -> None:
        """Go on to the reading at this place of the order."""
        later, value = self._values[place]
        if place == 0:
            self._unwrapped, self._wraps = value, 0
            return
        unwrapped = value + self._wraps * WRAP_OCTETS
        plausible = max(later - self._values[place - 1][0], 1) * PLAUSIBLE_OCTETS_PER_SECOND
        if unwrapped < self._unwrapped and unwrapped + WRAP_OCTETS - self._unwrapped <= plausible:
            self._wraps += 1
            unwrapped += WRAP_OCTETS
        self._unwrapped = max(self._unwrapped, unwrapped)

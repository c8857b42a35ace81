"""Rating a session again from its raw records: a second opinion on the meter (rules U2-U6, U9, P3).

The meter adds up record by record, in SQL; here every record is looked at anew with all before it.
Which records are the session's is taken from the journal, and which package paid (it depends on all
sessions of the subscription) from the slices; that these cover what was used, no more and no less,
and that packages and prices agree, is derived.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise
from typing import NamedTuple

from billing.model.evidence import (
    Difference,
    Gap,
    JournalRecord,
    PackageBook,
    SessionEvidence,
    WalletBook,
)
from billing.model.plan import PlanTerms
from billing.rules.cycles import day_passed_at, local_day

WRAP_OCTETS = 2**32
PLAUSIBLE_OCTETS_PER_SECOND = 125_000_000
"""Above 1 Gbit/s a fallen 32-bit counter is an error of the NAS, not a wrap (rule U4)."""
COUNTER_WRAPPED = "counter-wrapped"
SHORTEST_SILENCE = timedelta(minutes=15)
START, STOP = "Start", "Stop"
_MICROSECOND = timedelta(microseconds=1)


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


@dataclass(frozen=True, slots=True)
class Charge:
    """What pay-as-you-go of one version must have cost; a range where the records leave it open."""

    least_micros: int
    most_micros: int

    @property
    def is_exact(self) -> bool:
        return self.least_micros == self.most_micros

    def __str__(self) -> str:
        if self.is_exact:
            return str(self.least_micros)
        return f"{self.least_micros} to {self.most_micros}"


@dataclass(frozen=True, slots=True)
class Rerated:
    total: Usage
    charged_micros: int | None
    """None where it can only be said within a step."""
    differences: tuple[Difference, ...]


def rerate(evidence: SessionEvidence, terms: Mapping[int, PlanTerms], time_zone: str) -> Rerated:
    """Derive usage and charges of a session again, and say where what is stored differs.

    `terms`: by version, of every version that a record or slice names. Pure.
    """
    read = list(read_records(evidence.records, evidence.has_gigawords))
    total = Usage()
    for one in read:
        total = total.plus(one.added)
    charges = _charges(evidence, terms, read)
    found = [
        *_session_differences(evidence, read, total),
        *_record_differences(read),
        *_day_differences(evidence, read, time_zone),
        *_charge_differences(evidence, charges),
        *_package_differences(evidence.packages),
        *_wallet_differences(evidence.wallet),
    ]
    exact = all(charge.is_exact for charge in charges.values())
    charged = sum(charge.least_micros for charge in charges.values()) if exact else None
    return Rerated(total, charged, tuple(found))


# Usage (U3, U4)


def read_records(records: Sequence[JournalRecord], has_gigawords: bool) -> Iterator[RecordRead]:
    """What each record adds, in the order in which they were charged.

    A session whose counters have gigawords (and never wrapped) has wide ones throughout; else
    they are wide from the first record on that shows more than 32 bits.
    """
    wrapped = any(COUNTER_WRAPPED in record.anomalies for record in records)
    is_wide = has_gigawords and not wrapped
    before = Usage()
    last_event_at: datetime | None = None
    sent, received = _Counter(), _Counter()
    for record in records:
        counters = (record.input_octets or 0, record.output_octets or 0)
        is_wide = is_wide or max(counters) >= WRAP_OCTETS
        after = Usage(
            max(before.seconds, record.seconds or 0),
            sent.read(record.seconds, record.input_octets, is_wide=is_wide),
            received.read(record.seconds, record.output_octets, is_wide=is_wide),
        )
        since = (
            begins_at(record) or record.event_at
            if last_event_at is None
            else min(last_event_at, record.event_at)
        )
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

    def read(self, seconds: int | None, value: int | None, *, is_wide: bool) -> int:
        """Take a reading in; the new total. 32-bit counters are put in order of session time."""
        if value is not None:
            place = bisect_right(self._values, (seconds or 0, value))
            self._values.insert(place, (seconds or 0, value))
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


# Days (U9, M3)


def by_day(read: Iterable[RecordRead], time_zone: str) -> dict[date, Usage]:
    """Usage by local day, each record's spread evenly over the time it belongs to."""
    days: dict[date, Usage] = defaultdict(Usage)
    for one in read:
        for day, usage in _spread(one, time_zone):
            days[day] = days[day].plus(usage)
    return {day: usage for day, usage in days.items() if any(usage)}


def _spread(one: RecordRead, time_zone: str) -> Iterator[tuple[date, Usage]]:
    added, until = one.added, one.record.event_at
    day, last = local_day(one.since, time_zone), local_day(until, time_zone)
    whole = (until - one.since) // _MICROSECOND
    done = Usage()
    while day < last:
        gone = (day_passed_at(day, time_zone) - one.since) // _MICROSECOND
        octets = added.octets * gone // whole
        sent = added.input_octets * octets // added.octets if added.octets else 0
        reached = Usage(added.seconds * gone // whole, sent, octets - sent)
        yield day, reached.minus(done)
        day, done = day + timedelta(days=1), reached
    yield last, added.minus(done)


# Money (P3, M6)


def price_micros(terms: PlanTerms, seconds: int, octets: int) -> int:
    """Pay-as-you-go of so much cumulative usage: a step that was begun counts whole."""
    return sum(
        -(-used // step) * micros
        for used, step, micros in (
            (seconds, terms.payg_second_step, terms.payg_second_step_micros or 0),
            (octets, terms.payg_octet_step, terms.payg_octet_step_micros or 0),
        )
        if step is not None
    )


def _charges(
    evidence: SessionEvidence, terms: Mapping[int, PlanTerms], read: Sequence[RecordRead]
) -> dict[int, Charge]:
    """What each version must have charged for what its slices leave uncovered.

    A version whose price came back counts its steps anew each time. The last count is known; where
    there were more than two, each further one can have begun one more step.
    """
    uncovered: dict[int, Usage] = defaultdict(Usage)
    for part in evidence.slices:
        if part.kind == "payg":
            used = Usage(part.seconds, part.input_octets, part.output_octets)
            uncovered[part.plan_version_id] = uncovered[part.plan_version_id].plus(used)
    versions = [one.record.price_version for one in read if any(one.added)]
    runs = [version for version, _ in groupby(versions)]
    priced = evidence.priced
    found = {}
    for version, used in uncovered.items():
        plan = terms[version]
        whole = price_micros(plan, used.seconds, used.octets)
        least = most = whole
        again = runs.count(version) - 1
        if again > 0 and priced.version_id == version:
            rest = (used.seconds - priced.seconds, used.octets - priced.octets)
            least = most = price_micros(plan, *rest) + price_micros(
                plan, priced.seconds, priced.octets
            )
            again -= 1
        if again > 0:
            step = (plan.payg_second_step_micros or 0) + (plan.payg_octet_step_micros or 0)
            most += again * step
        found[version] = Charge(least, most)
    return found


# What is stored


def _session_differences(
    evidence: SessionEvidence, read: Sequence[RecordRead], total: Usage
) -> Iterator[Difference]:
    session = evidence.session
    began = [at for one in read if (at := begins_at(one.record)) is not None]
    if not read:
        yield Difference(field="records in the journal", stored=0, derived="at least 1")
        return
    yield from _differing(
        ("session time", session.seconds, total.seconds),
        ("input octets", session.input_octets, total.input_octets),
        ("output octets", session.output_octets, total.output_octets),
        ("beginning", session.started_at, min([read[0].since, *began])),
        ("last event", session.last_event_at, max(one.record.event_at for one in read)),
    )


def _record_differences(read: Iterable[RecordRead]) -> Iterator[Difference]:
    for one in read:
        record, name = one.record, f"record {one.record.record_id}"
        stored = Usage(record.added_seconds, record.added_input_octets, record.added_output_octets)
        yield from _differing(
            (f"{name}: added time", stored.seconds, one.added.seconds),
            (f"{name}: added input octets", stored.input_octets, one.added.input_octets),
            (f"{name}: added output octets", stored.output_octets, one.added.output_octets),
        )
        told = "late" if one.is_late else "counted"
        if any(one.added) or one.is_first:
            expected = {told}
        else:
            # A Stop without more usage tells something only to a session that still runs.
            expected = {"repeated", told} if record.status == STOP else {"repeated"}
        if record.outcome not in expected:
            yield Difference(
                field=f"{name}: outcome", stored=record.outcome, derived=" or ".join(expected)
            )


def _day_differences(
    evidence: SessionEvidence, read: Iterable[RecordRead], time_zone: str
) -> Iterator[Difference]:
    stored: dict[date, Usage] = defaultdict(Usage)
    for part in evidence.slices:
        used = Usage(part.seconds, part.input_octets, part.output_octets)
        stored[part.day] = stored[part.day].plus(used)
    derived = by_day(read, time_zone)
    for day in sorted({*stored, *derived}):
        is_, should = stored.get(day, Usage()), derived.get(day, Usage())
        yield from _differing(
            (f"{day}: time", is_.seconds, should.seconds),
            (f"{day}: input octets", is_.input_octets, should.input_octets),
            (f"{day}: output octets", is_.output_octets, should.output_octets),
        )


def _charge_differences(
    evidence: SessionEvidence, charges: Mapping[int, Charge]
) -> Iterator[Difference]:
    """Journal, slices and session must each have charged what the prices say."""
    journal: dict[int, int] = defaultdict(int)
    for record in evidence.records:
        if record.charged_micros:
            journal[record.price_version or 0] += record.charged_micros
    sliced: dict[int, int] = defaultdict(int)
    for part in evidence.slices:
        if part.charged_micros:
            sliced[part.plan_version_id] += part.charged_micros
    for version in sorted({*journal, *sliced, *charges}):
        charge = charges.get(version, Charge(0, 0))
        for where, books in (("journal", journal), ("slices", sliced)):
            stored = books.get(version, 0)
            if not charge.least_micros <= stored <= charge.most_micros:
                yield Difference(
                    field=f"charged under price version {version}, {where} (micros)",
                    stored=stored,
                    derived=str(charge),
                )
    yield from _differing(
        (
            "charged, session (micros)",
            evidence.session.charged_micros,
            sum(record.charged_micros for record in evidence.records),
        ),
        (
            "charged, slices (micros)",
            sum(part.charged_micros for part in evidence.slices),
            sum(record.charged_micros for record in evidence.records),
        ),
    )


def _package_differences(packages: Iterable[PackageBook]) -> Iterator[Difference]:
    """What was sold is what is left and what all sessions used of it (rule Q1)."""
    for book in packages:
        name = f"package {book.entitlement_id}"
        if book.seconds_total is not None and book.seconds_left is not None:
            left = book.seconds_total - book.used_seconds
            yield from _differing((f"{name}: time left", book.seconds_left, left))
        if book.octets_total is not None and book.octets_left is not None:
            left = book.octets_total - book.used_octets
            yield from _differing((f"{name}: octets left", book.octets_left, left))


def _wallet_differences(book: WalletBook | None) -> Iterator[Difference]:
    """What the wallet owes for usage is what its subscriptions were charged (rule P2)."""
    if book is not None:
        name = f"wallet {book.wallet_id}: usage not posted (micros)"
        yield from _differing((name, book.unposted_micros, book.charged_micros))


def _differing(*figures: tuple[str, object, object]) -> Iterator[Difference]:
    for field, stored, derived in figures:
        if stored != derived:
            yield Difference(field=field, stored=stored, derived=derived)

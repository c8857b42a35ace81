"""Rating a session again from its raw records: a second opinion on the meter (U2-U6, U9, Q3, P3).

The meter adds up record by record, in SQL; here every record is looked at anew with all before it.
Which records are the session's is taken from the journal, and which package paid (it depends on all
sessions of the subscription) from the slices; that these cover what was used, no more and no less,
and that packages and prices agree, is derived.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from billing.model.evidence import (
    Difference,
    PackageBook,
    Priced,
    SessionEvidence,
    WalletBook,
)
from billing.model.plan import PlanTerms
from billing.model.tariff import WindowPrice, tariff_windows
from billing.rules.readings import STOP, RecordRead, Usage, begins_at, read_records
from billing.rules.windows import Piece, in_force, pieces


@dataclass(frozen=True, slots=True)
class Charge:
    """What pay-as-you-go of one version must have cost; a range where the records leave it open."""

    least_micros: int
    most_micros: int

    @property
    def is_exact(self) -> bool:
        return self.least_micros == self.most_micros

    def plus(self, other: Charge) -> Charge:
        return Charge(self.least_micros + other.least_micros, self.most_micros + other.most_micros)

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
        *_day_differences(evidence, read, terms, time_zone),
        *_charge_differences(evidence, charges),
        *_package_differences(evidence.packages),
        *_wallet_differences(evidence.wallet),
    ]
    exact = all(charge.is_exact for charge in charges.values())
    charged = sum(charge.least_micros for charge in charges.values()) if exact else None
    return Rerated(total, charged, tuple(found))


# Days and windows (U9, M3, Q3)

_FREE = "free in"
_NAMELESS = ""


def by_day(
    read: Iterable[RecordRead], terms: Mapping[int, PlanTerms], time_zone: str
) -> dict[tuple[date, str], Usage]:
    """Usage by local day and free window (empty: in none), each record's spread evenly over the
    time it belongs to."""
    days: dict[tuple[date, str], Usage] = defaultdict(Usage)
    for one in read:
        for part, usage in _spread(one, terms, time_zone):
            name = part.window.name if part.window is not None and part.is_free else _NAMELESS
            days[part.day, name] = days[part.day, name].plus(usage)
    return {key: usage for key, usage in days.items() if any(usage)}


def _spread(
    one: RecordRead, terms: Mapping[int, PlanTerms], time_zone: str
) -> Iterator[tuple[Piece, Usage]]:
    added, record = one.added, one.record
    free, prices = (
        None if version is None or version not in terms else terms[version].tariff_windows
        for version in (record.tariff_version, record.price_version)
    )
    windows = () if record.tariff_version is None else in_force(free, prices)
    amounts = (added.seconds, added.octets)
    for part in pieces(windows, one.since, record.event_at, amounts, time_zone):
        sent, before = (
            added.input_octets * reached // added.octets if added.octets else 0
            for reached in (part.o_until, part.o_from)
        )
        octets = part.o_until - part.o_from
        yield part, Usage(part.s_until - part.s_from, sent - before, octets - (sent - before))


# Money (P3, M6)


def price_micros(price: WindowPrice, seconds: int, octets: int) -> int:
    """Pay-as-you-go of so much cumulative usage: a step that was begun counts whole."""
    return sum(
        -(-used // step) * micros
        for used, step, micros in (
            (seconds, price.second_step, price.second_step_micros or 0),
            (octets, price.octet_step, price.octet_step_micros or 0),
        )
        if step is not None
    )


def _price_of(terms: PlanTerms, window: str) -> WindowPrice:
    """The prices of a version in a window of that name, or outside of all (rule Q3)."""
    for one in tariff_windows(terms.tariff_windows):
        if one.name == window and one.price is not None:
            return one.price
    return WindowPrice(
        second_step=terms.payg_second_step,
        second_step_micros=terms.payg_second_step_micros,
        octet_step=terms.payg_octet_step,
        octet_step_micros=terms.payg_octet_step_micros,
    )


def _charges(
    evidence: SessionEvidence, terms: Mapping[int, PlanTerms], read: Sequence[RecordRead]
) -> dict[int, Charge]:
    """What each version must have charged for what its slices leave uncovered.

    A version whose price came back counts its steps anew each time. The last count is known; where
    there were more than two, each further one can have begun one more step. In windows with prices
    of their own the count goes on.
    """
    uncovered: dict[tuple[int, str], Usage] = defaultdict(Usage)
    for part in evidence.slices:
        if part.kind == "payg":
            used = Usage(part.seconds, part.input_octets, part.output_octets)
            segment = part.plan_version_id, part.tariff_window
            uncovered[segment] = uncovered[segment].plus(used)
    versions = [one.record.price_version for one in read if any(one.added)]
    runs = [version for version, _ in groupby(versions)]
    found: dict[int, Charge] = defaultdict(lambda: Charge(0, 0))
    for (version, window), used in uncovered.items():
        price = _price_of(terms[version], window)
        again = 0 if window else runs.count(version) - 1
        found[version] = found[version].plus(
            _charge(
                price,
                used,
                again,
                evidence.priced if evidence.priced.version_id == version else None,
            )
        )
    return dict(found)


def _charge(price: WindowPrice, used: Usage, again: int, priced: Priced | None) -> Charge:
    """Of one price segment whose steps were counted anew `again` times; `priced` is the last count
    where it is this segment's."""
    least = most = price_micros(price, used.seconds, used.octets)
    if again > 0 and priced is not None:
        rest = (used.seconds - priced.seconds, used.octets - priced.octets)
        least = most = price_micros(price, *rest) + price_micros(
            price, priced.seconds, priced.octets
        )
        again -= 1
    if again > 0:
        step = (price.second_step_micros or 0) + (price.octet_step_micros or 0)
        most += again * step
    return Charge(least, most)


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
    evidence: SessionEvidence,
    read: Iterable[RecordRead],
    terms: Mapping[int, PlanTerms],
    time_zone: str,
) -> Iterator[Difference]:
    """Each day's usage, and apart from it what was free in each window (rule Q3)."""
    stored: dict[tuple[date, str], Usage] = defaultdict(Usage)
    for part in evidence.slices:
        used = Usage(part.seconds, part.input_octets, part.output_octets)
        key = part.day, part.tariff_window if part.kind == "free" else _NAMELESS
        stored[key] = stored[key].plus(used)
    derived = by_day(read, terms, time_zone)
    for day, window in sorted({*stored, *derived}):
        is_ = stored.get((day, window), Usage())
        should = derived.get((day, window), Usage())
        name = f"{day}, {_FREE} {window}" if window else f"{day}"
        yield from _differing(
            (f"{name}: time", is_.seconds, should.seconds),
            (f"{name}: input octets", is_.input_octets, should.input_octets),
            (f"{name}: output octets", is_.output_octets, should.output_octets),
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
    """What a wallet owes for usage is what its slices say is charged and not posted (P2)."""
    if book is not None:
        name = f"wallet {book.wallet_id}: usage not posted (micros)"
        yield from _differing((name, book.unposted_micros, book.not_posted_micros))


def _differing(*figures: tuple[str, object, object]) -> Iterator[Difference]:
    for field, stored, derived in figures:
        if stored != derived:
            yield Difference(field=field, stored=stored, derived=derived)

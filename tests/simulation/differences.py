"""Where the product's books are not the model's, or not those of the real sessions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulation.books import Books
from tests.simulation.oracle import Account, Session, Usage
from tests.simulation.traffic import NOBODY, STOP, STRANGER, WRAP, Delivery, Packet

NOT_ONES = -1
"""In place of a subscriber: a difference that is not in one's own books."""


@dataclass(frozen=True)
class Difference:
    """What is stored and what should be; `subscriber` is the number in the traffic."""

    subscriber: int
    what: str
    stored: object
    expected: object

    def __str__(self) -> str:
        return (
            f"subscriber {self.subscriber}: {self.what}:\n"
            f"  stored   {self.stored}\n  expected {self.expected}"
        )


def differences(books: Books) -> list[Difference]:
    """All there are so far; nothing when seconds, octets, money, slices, packages, journal and
    orders agree (U2-U5, U7, U9, Q1, P3, C1)."""
    return [*_of_nobody(books), *of_subscribers(books)]


def of_subscribers(books: Books) -> list[Difference]:
    """Those in the books of subscribers, and in what really was (U2)."""
    stored = _Stored(books)
    found: list[Difference] = []
    truths = _truths(books)
    for number, account in books.accounts.items():
        for what, is_, should in _compared(books, stored, number, account):
            found += _first_difference(number, what, is_, should)
        found += stored.unbalanced(books, number)
        found += _untrue(books, stored, number, truths[number])
    return found


class _Stored:
    """The rows of all customers of the books, by subscription."""

    def __init__(self, books: Books) -> None:
        self._customers = list({who.customer_id for who in books.people.values()})
        self._rows = books.world.rows
        self.sessions = self._read("live_session", "session_id")
        self.slices = self._read("daily_usage", "session_id")
        self.packages = self._read("entitlement", "entitlement_id")
        self.journal = self._read("acct_journal", "record_id")
        self.overspends = self._read("overspend", "overspend_id")
        self.orders = self._read("coa_intent", "session_id, intent_id")
        self.next_changes = {
            row.subscription_id: row.service_next_change_at
            for row in self._rows(
                "SELECT subscription_id, service_next_change_at FROM subscription"
                " WHERE customer_id = ANY(%s)",
                self._customers,
            )
        }
        self.wallets = {
            row.wallet_id: row
            for row in self._rows(
                "SELECT * FROM wallet WHERE customer_id = ANY(%s)", self._customers
            )
        }

    def _read(self, table: str, order: str) -> Mapping[int, list[Any]]:
        found: dict[int, list[Any]] = defaultdict(list)
        query = f"SELECT * FROM {table} WHERE customer_id = ANY(%s) ORDER BY {order}"  # noqa: S608
        for row in self._rows(query, self._customers):
            found[row.subscription_id].append(row)
        return found

    def unbalanced(self, books: Books, number: int) -> Iterable[Difference]:
        """Books that contradict themselves, whatever the model says."""
        subscription_id = books.people[number].subscription_id
        slices = self.slices[subscription_id]
        journal = self.journal[subscription_id]
        for row in self.sessions[subscription_id]:
            total = (
                *(row.session_seconds, row.input_octets, row.output_octets),
                row.charged_micros,
            )
            own = [one for one in slices if one.session_id == row.session_id]
            sliced = _sums(_amounts(one) for one in own)
            if sliced != total:
                yield Difference(number, "slices of a session and its total", sliced, total)
            added = [one for one in journal if one.session_id == row.session_id]
            sums = _sums(_added(one) for one in added)
            if sums != total:
                yield Difference(number, "journal of a session and its total", sums, total)
        over = [
            (row.seconds, row.input_octets + row.output_octets)
            for row in slices
            if row.kind == "overspend"
        ]
        noted = [(row.seconds, row.octets) for row in self.overspends[subscription_id]]
        if _pair(over) != _pair(noted):
            yield Difference(number, "overspend and its slices", _pair(noted), _pair(over))
        for row in self.packages[subscription_id]:
            own = [one for one in slices if one.entitlement_id == row.entitlement_id]
            seconds = sum(one.seconds for one in own)
            octets = sum(one.input_octets + one.output_octets for one in own)
            spent = (
                seconds if row.seconds_total is None else row.seconds_total - row.seconds_left,
                octets if row.octets_total is None else row.octets_total - row.octets_left,
            )
            if spent != (seconds, octets):
                yield Difference(number, "package and its slices", spent, (seconds, octets))


def _pair(lines: Iterable[tuple[int, int]]) -> tuple[int, int]:
    seconds, octets = zip((0, 0), *lines, strict=True)
    return sum(seconds), sum(octets)


def _amounts(row: Any) -> tuple[int, int, int, int]:
    return row.seconds, row.input_octets, row.output_octets, row.charged_micros


def _sums(lines: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(sum(column) for column in zip((0, 0, 0, 0), *lines, strict=True))


def _added(row: Any) -> tuple[int, int, int, int]:
    return (
        row.added_seconds,
        row.added_input_octets,
        row.added_output_octets,
        row.charged_micros,
    )


Compared = tuple[str, object, object]


def _compared(books: Books, stored: _Stored, number: int, account: Account) -> Iterable[Compared]:
    who = books.people[number]
    rows = stored.sessions[who.subscription_id]
    place = {row.session_id: at for at, row in enumerate(rows)}
    address = {nas_id: books.nas[nas] for nas, nas_id in books.nas_ids.items()}
    yield (
        "sessions",
        [_session_row(row, address[row.nas_id]) for row in rows],
        [_session(session) for session in account.sessions],
    )
    yield (
        "exhaustions and overspend",
        [
            (
                *(row.exhausted_at, row.entitlement_ids, row.seconds, row.octets),
                *(row.wallet_id is not None, row.micros),
            )
            for row in stored.overspends[who.subscription_id]
        ],
        [
            (one.at, one.packages, one.seconds, one.octets, one.of_wallet, one.micros)
            for one in account.exhaustions
        ],
    )
    yield (
        "daily slices",
        sorted(
            (
                *(place.get(row.session_id, -1), row.local_day, row.kind),
                *(row.entitlement_id, row.plan_version_id, row.tariff_window, *_amounts(row)),
            )
            for row in stored.slices[who.subscription_id]
        ),
        sorted(
            (*key, one.seconds, one.input_octets, one.output_octets, one.micros)
            for key, one in account.slices.items()
        ),
    )
    yield (
        "packages",
        [
            (
                *(row.entitlement_id, row.valid_from, row.valid_until),
                *(row.seconds_left, row.octets_left, row.ended_at is not None),
            )
            for row in stored.packages[who.subscription_id]
        ],
        [
            (
                *(one.package_id, one.valid_from, one.valid_until),
                *(one.seconds_left, one.octets_left, one.ended),
            )
            for one in account.packages
        ],
    )
    yield (
        "journal",
        [
            (place.get(row.session_id, -1), *_added(row), row.outcome)
            for row in stored.journal[who.subscription_id]
        ],
        [(one.session, *_usage(one.added), one.micros, one.outcome) for one in account.journal],
    )
    wallet = stored.wallets[who.wallet_id]
    yield "unposted micros", wallet.unposted_micros, account.wallet.unposted_micros
    looked_at = stored.next_changes[who.subscription_id] is not None
    yield "whether the sweep is to look", looked_at, account.looked_at
    goal = "disconnect" if account.requires_package else "suspend"
    yield (
        "orders",
        [(place.get(row.session_id, -1), row.goal) for row in stored.orders[who.subscription_id]],
        [(session.number, goal) for session in account.sessions if session.cut_at is not None],
    )


def _session_row(row: Any, address: str) -> tuple[object, ...]:
    return (
        *(address, row.acct_session_id, row.epoch),
        *(row.started_at, row.last_event_at, row.closed_at),
        *(row.session_seconds, row.input_octets, row.output_octets, row.charged_micros),
        *(row.payg_seconds, row.payg_octets, row.payg_micros),
        row.cut_requested_at,
    )


def _session(session: Session) -> tuple[object, ...]:
    return (
        *session.session_key,
        *(session.epoch, session.started_at, session.last_event_at, session.closed_at),
        *_usage(session.total),
        *(session.charged_micros, session.payg_seconds, session.payg_octets),
        *(session.payg_micros, session.cut_at),
    )


def _usage(usage: Usage) -> tuple[int, int, int]:
    return usage.seconds, usage.input_octets, usage.output_octets


def _first_difference(
    number: int, what: str, stored: object, expected: object
) -> Iterable[Difference]:
    if stored == expected:
        return
    if isinstance(stored, list) and isinstance(expected, list):
        for place in range(max(len(stored), len(expected))):
            mine = stored[place] if place < len(stored) else None
            model = expected[place] if place < len(expected) else None
            if mine != model:
                yield Difference(number, f"{what}, line {place}", _plain(mine), _plain(model))
                return
    yield Difference(number, what, stored, expected)


def _plain(line: object) -> object:
    return " ".join(str(value) for value in line) if isinstance(line, tuple) else line


# What belongs to nobody


def _of_nobody(books: Books) -> Iterable[Difference]:
    """Restarts are in the journal, records of strangers are dead letters: none is dropped."""

    def number(which: Callable[[Delivery], bool]) -> int:
        return sum(1 for one in books.charged if which(one))

    rows = books.world.rows
    restarts = rows(
        "SELECT count(*) FROM acct_journal WHERE customer_id = 0 AND nas_id = ANY(%s)",
        list(books.nas_ids.values()),
    )[0].count
    expected = number(lambda one: one.packet.subscriber == NOBODY and one.packet.nas != STRANGER)
    if restarts != expected:
        yield Difference(NOT_ONES, "restarts in the journal", restarts, expected)
    letters = {
        row.reason: row.count
        for row in rows(
            "SELECT reason, count(*) FROM acct_dead_letter"
            " WHERE nas_address = ANY(%s::inet[]) GROUP BY reason",
            list(books.nas.values()),
        )
    }
    strange_nas = number(lambda one: one.packet.nas == STRANGER)
    strange_user = number(lambda one: one.packet.subscriber == STRANGER)
    wanted = {"unknown-nas": strange_nas, "unknown-user": strange_user}
    if letters != {reason: times for reason, times in wanted.items() if times}:
        yield Difference(NOT_ONES, "dead letters", letters, wanted)


# What really was

Truth = tuple[tuple[str, str], list[tuple[object, ...]]]


def _truths(books: Books) -> Mapping[int, list[Truth]]:
    """Per subscriber: NAS and id, and the sessions under it of which enough was told."""
    told = books.history.traffic.real_sessions
    arrived: dict[int, list[Delivery]] = defaultdict(list)
    for one in books.charged:
        if one.packet.subscriber >= 0 and one.packet.nas >= 0:
            arrived[one.packet.real_session].append(one)
    by_key: dict[tuple[int, int, str], list[int]] = defaultdict(list)
    for number, real in enumerate(told):
        by_key[real.subscriber, real.nas, real.sid].append(number)
    found: dict[int, list[Truth]] = defaultdict(list)
    for (subscriber, nas, sid), numbers in by_key.items():
        if all(told[number].is_told for number in numbers):
            lines = [_true_line(arrived[number]) for number in numbers if arrived[number]]
            found[subscriber].append(((books.nas[nas], sid), lines))
    return found


def _true_line(arrived: list[Delivery]) -> tuple[object, ...]:
    """Seconds, octets (None: 32 bits can't tell) and end of a session, from what arrived of it."""
    packets = [one.packet for one in arrived]
    stops = [one.event_at for one in arrived if one.packet.status == STOP]
    is_wide = any(packet.has_gigawords for packet in packets)
    shown = [[packet.input_octets for packet in packets], [p.output_octets for p in packets]]
    return (
        max(packet.seconds or 0 for packet in packets),
        *(
            max(octets or 0 for octets in values) if is_wide else _narrow_truth(packets, values, at)
            for at, values in enumerate(shown)
        ),
        stops[0] if stops else None,
    )


def _narrow_truth(packets: list[Packet], shown: list[int | None], direction: int) -> int | None:
    """What really was counted up to the last of these readings of 32 bits (U4), None where they
    can't tell: one of them is wrong, or between two of them are 4 GiB or more."""
    total = 0
    readings = sorted(
        (packet.true_octets[direction], octets)
        for packet, octets in zip(packets, shown, strict=True)
        if octets is not None
    )
    for true, octets in readings:
        if octets != true % WRAP or true - total >= WRAP:
            return None
        total = true
    return total


def _untrue(
    books: Books, stored: _Stored, number: int, truths: list[Truth]
) -> Iterable[Difference]:
    address = {nas_id: books.nas[nas] for nas, nas_id in books.nas_ids.items()}
    rows = sorted(
        stored.sessions[books.people[number].subscription_id], key=lambda row: row.started_at
    )
    for key, expected in truths:
        own = [row for row in rows if (address[row.nas_id], row.acct_session_id) == key]
        stored_lines = [
            (
                row.session_seconds,
                None if line[1] is None else row.input_octets,
                None if line[2] is None else row.output_octets,
                row.closed_at if line[3] is not None else None,
            )
            for row, line in zip(own, expected, strict=False)
        ]
        if len(own) != len(expected) or stored_lines != expected:
            yield Difference(number, f"real sessions {key}", stored_lines, expected)

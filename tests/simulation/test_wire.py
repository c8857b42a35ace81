"""Thousands of records through real FreeRADIUS, on a bad network: the books are the model's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from billing.settings import Settings
from rig.radius import RadiusServer
from tests.factories import Factory
from tests.integration.meter_world import MeterWorld
from tests.simulation.books import Books
from tests.simulation.clocks import event_time
from tests.simulation.datagrams import Sent, accounting_request
from tests.simulation.differences import of_subscribers
from tests.simulation.history import History
from tests.simulation.traffic import NOBODY, STRANGER, Delivery, Packet, traffic
from tests.simulation.wire import Task, Wire

SEED = 1
HOUSEHOLDS, RECORDS_EACH = 56, 90
EVENTS = 5_000
ZONE = "Asia/Kathmandu"
SECRET = b"simulated routers"
SWAPPING = 2
"""The number of the NAS that reports the directions the other way round (U8)."""


@pytest.fixture(scope="module")
def world(settings: Settings) -> Iterator[MeterWorld]:
    opened = MeterWorld(settings, name="wire", routers=())
    opened.set_zone(ZONE)
    yield opened
    opened.close()


def told(now: datetime) -> History:
    """What happened within the last day, as far as the server believes old records (U6)."""
    base = (now - timedelta(hours=22)).replace(microsecond=0)
    made = traffic(
        Random(SEED),
        (ZONE, base),
        HOUSEHOLDS,
        RECORDS_EACH,
        span=timedelta(hours=20),
        keeps_order=False,
    )
    made.deliveries = [
        one
        for one in made.deliveries
        if one.packet.happened_at < now - timedelta(minutes=10) and one.packet.nas >= 0
    ]
    return History(made, ())


@pytest.mark.rule("U1", "U2", "U3", "U4", "U5", "U6", "U7", "U8", "U9", "Q1", "P3", "P8")
def test_the_server_agrees_with_the_model(
    world: MeterWorld, make: Factory, radius: dict[str, RadiusServer], now: datetime
) -> None:
    history = told(now)
    books = install(world, make, history, now)
    wire = Wire(("127.0.0.1", radius["acct"].port), books.nas, SECRET, Random(SEED))
    wire.send(list(tasks(books)))
    assert len(wire.sent) >= EVENTS
    assert wire.datagrams > len(wire.sent) * 1.1
    replay(books, wire.sent)
    found = of_subscribers(books)
    assert not found, "\n".join([f"{len(found)} differences", *map(str, found[:5])])


def install(world: MeterWorld, make: Factory, history: History, now: datetime) -> Books:
    addresses = {nas.number: f"127.9.{SEED}.{nas.number + 1}" for nas in history.traffic.nas}
    ids = {
        number: make.nas(now, address=address, secret=SECRET.decode(), coa_port=3799)
        for number, address in addresses.items()
    }
    world.db.execute("UPDATE nas SET swap_octets = true WHERE nas_id = %s", (ids[SWAPPING],))
    return Books(world, history, addresses, ids)


def tasks(books: Books) -> Iterator[Task]:
    """A request for each delivery, in their order; restarts alone, so that theirs is known."""
    routers = {nas.number: nas for nas in books.history.traffic.nas}
    rng = Random(SEED)
    for one in books.history.traffic.deliveries:
        packet = one.packet

        def encode(identifier: int, sent_at: datetime, packet: Packet = packet) -> Sent:
            return accounting_request(
                packet,
                routers[packet.nas],
                sent_at,
                username=books.username(packet.subscriber).upper(),
                secret=SECRET,
                identifier=identifier,
                swaps=packet.nas == SWAPPING,
                rng=rng,
            )

        yield Task(packet.nas, encode, is_alone=packet.subscriber == NOBODY)


Content = tuple[object, ...]
"""What a record says, as the journal has it: NAS, subscription, id, status and counters."""


def replay(books: Books, sent: list[Sent]) -> None:
    """Take what is in the journal into the model, in its order: every line must be one of ours,
    and everything that was sent must be there."""
    by_content: dict[Content, list[Sent]] = defaultdict(list)
    strangers = 0
    for one in sent:
        if one.packet.subscriber == STRANGER:
            strangers += 1
        else:
            by_content[_content(books, one.packet)].append(one)
    seen = set()
    # The server's clock does not go back: a record that was charged after another one finds the
    # package begun that the other one began, also when it had arrived before it.
    charged_at = datetime.min.replace(tzinfo=UTC)
    for row in books.world.rows(
        "SELECT * FROM acct_journal WHERE nas_id = ANY(%s) ORDER BY record_id",
        list(books.nas_ids.values()),
    ):
        content = _content_of(row)
        assert content in by_content, f"nobody sent this: {content}"
        seen.add(content)
        charged_at = max(charged_at, row.arrived_at)
        books.model([_delivery(row, by_content[content])], charged_at)
    missing = by_content.keys() - seen
    assert not missing, f"acknowledged and not in the journal: {list(missing)[:3]}"
    (letters,) = books.world.rows(
        "SELECT count(*) FROM acct_dead_letter WHERE reason = 'unknown-user'"
        " AND nas_address = ANY(%s::inet[])",
        list(books.nas.values()),
    )
    assert letters.count >= strangers > 0
    _take_instants_of_orders(books)


def _content(books: Books, packet: Packet) -> Content:
    nas_id = books.nas_ids[packet.nas]
    if packet.subscriber == NOBODY:
        return nas_id, 0, "", packet.status, None, None, None
    return (
        *(nas_id, books.people[packet.subscriber].subscription_id, packet.sid, packet.status),
        *(packet.seconds, packet.input_octets, packet.output_octets),
    )


def _content_of(row: Any) -> Content:
    return (
        *(row.nas_id, row.subscription_id, row.acct_session_id, row.status),
        *(row.session_seconds, row.input_octets, row.output_octets),
    )


def _delivery(row: Any, copies: list[Sent]) -> Delivery:
    """Which of these copies it was: that whose instant, seen from its arrival, is the record's."""
    for one in copies:
        event_at, is_precise = event_time(row.arrived_at, one.delay_seconds, one.stamp)
        if event_at == row.event_at:
            return Delivery(row.arrived_at, one.packet, event_at, is_precise)
    raise AssertionError(f"the instant of {row} is not that of any of {copies}")


def _take_instants_of_orders(books: Books) -> None:
    """The model can't know when exactly the server decided; that it did is compared."""
    for number, account in books.accounts.items():
        rows = sorted(books.world.sessions(books.people[number]), key=lambda row: row.session_id)
        for row, session in zip(rows, account.sessions, strict=False):
            if session.cut_at is not None and row.cut_requested_at is not None:
                session.cut_at = row.cut_requested_at

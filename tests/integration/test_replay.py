"""Charging a journal: what stands in the way of one record holds up no other (rules A8, U2, F8)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from billing.errors import Unavailable
from billing.model.events import AccountingRecord
from billing.services import acct_journal
from billing.services.acct_journal import LONE_FAILURES_MAX, Journal, Replay, encoded
from billing.settings import Settings
from billing.store.hotpath import HotConnection, Row
from billing.store.journal import damaged_octets
from tests.integration.meter_world import MeterWorld, at, interim, start


class Kept:
    """A journal that holds these records, and its replay."""

    def __init__(self, directory: Path, world: MeterWorld, *records: AccountingRecord) -> None:
        self.journal = Journal(directory, octets_max=10**6)
        self.journal.append([encoded(record) for record in records])
        self.lines: list[str] = []
        self.replay = Replay(self.journal, world.lane, self.lines.append)

    def drain(self, most: int = 50) -> int:
        """Steps until nothing waits; how many of them found no database."""
        failures = 0
        for _ in range(most):
            if not self.journal.waiting:
                return failures
            try:
                self.replay.step(at(1000))
            except Unavailable:
                failures += 1
        raise AssertionError(f"{self.journal.waiting} records wait for ever")


def test_a_locked_customer_is_charged_last_and_holds_up_nobody(
    world: MeterWorld, settings: Settings, tmp_path: Path
) -> None:
    lane = HotConnection(settings.dsn("radius"), statement_timeout_ms=5000, lock_timeout_ms=50)
    stuck, others = world.customer(), [world.customer() for _ in range(5)]
    records = [start(who, at(0)) for who in (stuck, *others)]
    records += [interim(who, at(60), 60, 7, 9) for who in (stuck, *others)]
    kept = Kept(tmp_path, world, *records)
    kept.replay = Replay(kept.journal, lane, kept.lines.append)
    with world.db.transaction():
        world.db.execute(
            "SELECT 1 FROM customer WHERE customer_id = %s FOR UPDATE", (stuck.customer_id,)
        )
        kept.replay.step(at(1000))
        assert kept.journal.waiting == 2
        assert [world.totals(who) for who in others] == [[(60, 7, 9)]] * 5
    kept.drain()
    lane.close()
    assert world.totals(stuck) == [(60, 7, 9)]
    assert damaged_octets(tmp_path) == 0


def test_a_record_that_nothing_can_store_is_set_aside(world: MeterWorld, tmp_path: Path) -> None:
    first, last = world.customer(), world.customer()
    broken = replace(start(first, at(0)), nas_address="no address")
    kept = Kept(tmp_path, world, start(first, at(0)), broken, start(last, at(0)))
    assert kept.drain() == 0
    assert len(world.sessions(first)) == len(world.sessions(last)) == 1
    assert b"no address" in (tmp_path / "damaged").read_bytes()
    assert (kept.replay.charged, kept.replay.damaged) == (2, 1)
    assert "was set aside" in kept.lines[0]


def test_a_record_that_the_database_trips_over_does_not_block_the_others(
    world: MeterWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [world.customer() for _ in range(9)]
    poison = people[4].username
    charge = acct_journal.meter_batch

    def trips(lane: HotConnection, rows: list[Row], now: object) -> list[None]:
        if any(poison in " ".join(row) for row in rows):
            raise Unavailable("the database: RaiseException")
        return charge(lane, rows, now)  # type: ignore[arg-type]

    monkeypatch.setattr(acct_journal, "meter_batch", trips)
    kept = Kept(tmp_path, world, *(start(who, at(0)) for who in people))
    assert kept.drain() >= LONE_FAILURES_MAX - 1
    assert [len(world.sessions(who)) for who in people] == [1, 1, 1, 1, 0, 1, 1, 1, 1]
    assert poison.encode() in (tmp_path / "damaged").read_bytes()


def test_without_the_database_nothing_is_given_up(world: MeterWorld, tmp_path: Path) -> None:
    who = world.customer()
    kept = Kept(tmp_path, world, start(who, at(0)))
    nowhere = "host=127.0.0.1 port=1 user=nobody dbname=nothing"
    lane = HotConnection(nowhere, statement_timeout_ms=1000, lock_timeout_ms=100)
    away = Replay(kept.journal, lane, kept.lines.append)
    for _ in range(3 * LONE_FAILURES_MAX):
        with pytest.raises(Unavailable):
            away.step(at(1000))
    assert kept.journal.waiting == 1
    assert kept.drain() == 0
    assert len(world.sessions(who)) == 1

"""Sessions that end without a word (rules U7, U10)."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from billing.errors import Unavailable
from billing.jobs import reaper
from billing.services import silence
from billing.services.context import Context
from billing.store.pool import Database
from tests.integration.meter_world import (
    OTHER_ROUTER,
    Metered,
    MeterWorld,
    Pack,
    at,
    interim,
    new_id,
    start,
    stop,
)
from tests.waiting import until

SILENCE = 900


@pytest.fixture(autouse=True)
def nothing_else(world: MeterWorld) -> None:
    """Sessions of other tests are over."""
    world.db.execute("UPDATE live_session SET closed_at = last_event_at WHERE closed_at IS NULL")


def served(world: MeterWorld) -> Metered:
    return world.customer(requires_entitlement=False)


@pytest.mark.rule("U10")
def test_a_silent_session_is_closed_at_its_last_update(world: MeterWorld, context: Context) -> None:
    who, talking = served(world), served(world)
    world.charge(start(who, at(0)), start(talking, at(0)))
    # By arrival: the event was a little earlier.
    world.charge(interim(who, at(290), 290, 5, 7, arrived_at=at(300)))
    world.charge(interim(talking, at(600), 600, 5, 7))
    assert silence.reap(context, at(300 + SILENCE - 1)) == 0
    assert silence.reap(context, at(300 + SILENCE)) == 1
    session = world.session(who)
    assert (session.closed_at, session.terminate_cause) == (at(290), "Lost-Stop")
    assert world.totals(who) == [(290, 5, 7)]
    assert world.session(talking).closed_at is None
    assert silence.reap(context, at(300 + SILENCE)) == 0


@pytest.mark.rule("U10")
def test_plans_that_report_seldom_may_be_silent_for_longer(
    world: MeterWorld, context: Context
) -> None:
    by_plan, by_package = served(world), world.customer([Pack()])
    world.charge(start(by_plan, at(0)), start(by_package, at(0)))
    slow = _slow_version(world)
    for table, who in (("subscription", by_plan), ("entitlement", by_package)):
        world.db.execute(
            f"UPDATE {table} SET plan_version_id = %s WHERE customer_id = %s",  # noqa: S608
            (slow, who.customer_id),
        )
    assert silence.reap(context, at(1799)) == 0
    assert silence.reap(context, at(1800)) == 2


def _slow_version(world: MeterWorld) -> int:
    """A plan version that asks for a report every ten minutes."""
    (row,) = world.rows(
        "INSERT INTO plan_version (plan_id, version, effective_from, price_micros, currency,"
        " starts, interim_seconds, created_at) SELECT max(plan_id), 2, %s, 0, 'USD', 'purchase',"
        " 600, %s FROM plan RETURNING plan_version_id",
        at(0),
        at(0),
    )
    return int(row.plan_version_id)


@pytest.mark.rule("U10", "U5")
def test_a_later_record_reopens_the_books(world: MeterWorld, context: Context) -> None:
    who = served(world)
    world.charge(interim(who, at(300), 300, 1, 1))
    assert silence.reap(context, at(1200)) == 1
    repeated = interim(who, at(300), 300, 1, 1, arrived_at=at(1250))
    world.charge(repeated)
    assert world.session(who).closed_at == at(300)
    world.charge(interim(who, at(1300), 1300, 9, 9))
    session = world.session(who)
    assert (session.closed_at, session.terminate_cause) == (None, None)
    assert silence.reap(context, at(1300 + SILENCE)) == 1
    world.charge(stop(who, at(2500), 2500, 11, 11, terminate_cause="User-Request"))
    session = world.session(who)
    assert (session.closed_at, session.terminate_cause) == (at(2500), "User-Request")
    assert world.totals(who) == [(2500, 11, 11)]


@pytest.mark.rule("U10")
def test_a_customer_who_is_locked_is_left_for_the_next_time(
    world: MeterWorld, context: Context
) -> None:
    held, free = served(world), served(world)
    world.charge(start(held, at(0)), start(free, at(0)))
    with context.transaction() as tx:
        tx.connection().exec_driver_sql(
            "SELECT 1 FROM customer WHERE customer_id = %s FOR UPDATE", (held.customer_id,)
        )
        assert silence.reap(context, at(SILENCE)) == 1
    assert world.session(held).closed_at is None
    assert silence.reap(context, at(SILENCE)) == 1


@pytest.mark.rule("U10")
def test_many_are_closed_in_batches(
    world: MeterWorld, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [served(world) for _ in range(7)]
    world.charge(*(start(who, at(0)) for who in people))
    monkeypatch.setattr(silence, "BATCH", 2)
    monkeypatch.setattr(silence, "BATCHES", 3)
    assert silence.reap(context, at(SILENCE)) == 6
    assert silence.reap(context, at(SILENCE)) == 1


@pytest.mark.rule("U10", "C1")
def test_the_worker_closes_what_fell_silent_and_waits_for_its_database(
    world: MeterWorld, context: Context
) -> None:
    who, stopping = served(world), threading.Event()
    world.charge(start(who, at(0)))
    nowhere = Database("host=127.0.0.1 port=1 user=nobody dbname=nothing")
    with pytest.raises(Unavailable):
        reaper.tick(replace(context, db=nowhere), at(SILENCE))
    nowhere.close()
    thread = threading.Thread(target=reaper.run, args=(context, stopping, lambda: at(SILENCE)))
    thread.start()
    try:
        until(lambda: world.session(who).terminate_cause == "Lost-Stop")
    finally:
        stopping.set()
        thread.join()


def _station(who: Metered) -> str:
    return f"cc{who.subscription_id:010d}"


def _online(world: MeterWorld, number: int, *, nas: str = OTHER_ROUTER) -> list[Metered]:
    """So many on one NAS, each on a station of its own, last heard of at 300."""
    people = [served(world) for _ in range(number)]
    world.charge(
        *(
            interim(who, at(300), 300, 1, 1, sid=new_id(), nas=nas, calling_station=_station(who))
            for who in people
        )
    )
    return people


def _again(world: MeterWorld, people: list[Metered], second: int = 400) -> None:
    """They begin another session each, from the same stations, without a Stop."""
    world.charge(
        *(
            start(who, at(second), sid=new_id(), nas=OTHER_ROUTER, calling_station=_station(who))
            for who in people
        )
    )


@pytest.mark.rule("U7")
def test_a_nas_that_rebooted_without_a_word_is_known_by_its_sessions_beginning_anew(
    world: MeterWorld, context: Context
) -> None:
    people = _online(world, 9)
    (elsewhere,) = _online(world, 1, nas="10.1.0.1")
    _again(world, people[:4])
    assert silence.close_rebooted(context, at(410)) == 0  # too few to be sure
    _again(world, people[4:5], 411)
    assert silence.close_rebooted(context, at(412)) == 9
    lost = [session for who in people for session in world.sessions(who)]
    assert [s.terminate_cause for s in lost if s.closed_at] == ["NAS-Reboot"] * 9
    assert {s.closed_at for s in lost if s.closed_at} == {at(300)}
    assert sum(s.closed_at is None for s in lost) == 5
    assert world.session(elsewhere).closed_at is None
    assert silence.close_rebooted(context, at(413)) == 0


@pytest.mark.rule("U7")
def test_reconnects_on_a_nas_that_goes_on_are_no_reboot(
    world: MeterWorld, context: Context
) -> None:
    people = _online(world, 10)
    _again(world, people[:6])
    # One that was online before is heard of still.
    world.charge(
        interim(
            people[9], at(500), 500, 2, 2, sid=world.session(people[9]).acct_session_id,
            nas=OTHER_ROUTER,
        )
    )  # fmt: skip
    assert silence.close_rebooted(context, at(501)) == 0
    few_of_many = _online(world, 11)
    _again(world, few_of_many[:5])
    assert silence.close_rebooted(context, at(502)) == 0

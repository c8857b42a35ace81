"""Session slots, moment by moment (rules A7, U10)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

import pytest

from billing.model.events import LoginRecord
from billing.services import silence
from billing.services.context import Context
from billing.store.admission import admit_logins
from tests.integration.meter_world import (
    OTHER_ROUTER,
    ROUTER,
    Metered,
    MeterWorld,
    Pack,
    at,
    interim,
    new_id,
    start,
    stop,
)

PHONE, LAPTOP, TABLET = "aa0000000001", "aa0000000002", "aa0000000003"
SILENCE = 900


def verified(
    who: Metered,
    station: str | None = PHONE,
    *,
    limit: int = 1,
    nas: str = ROUTER,
    entitlement_id: int = 0,
) -> LoginRecord:
    """A login whose password was right, for a subscription that may have `limit` sessions."""
    return LoginRecord(
        username=who.username,
        customer_id=who.customer_id,
        subscription_id=who.subscription_id,
        nas_address=nas,
        calling_station=station,
        outcome="accept",
        reason="ok",
        entitlement_id=entitlement_id,
        at=at(0),
        session_limit=limit,
        silence_seconds=SILENCE,
    )


def served(world: MeterWorld) -> Metered:
    """A subscriber whose sessions nothing ends."""
    return world.customer(requires_entitlement=False)


def admit(world: MeterWorld, now: datetime, *logins: LoginRecord) -> list[str]:
    """Why each is let in (`ok`) or refused."""
    return [admitted.reason for admitted in admit_logins(world.lane, logins, now)]


REFUSED = "too-many-sessions"


@pytest.mark.rule("A7")
def test_logins_of_one_batch_count_each_other(world: MeterWorld) -> None:
    who, other = served(world), served(world)
    logins = [verified(who, PHONE, limit=2), verified(who, LAPTOP, limit=2)]
    assert admit(world, at(0), *logins, verified(other), verified(who, TABLET, limit=2)) == [
        "ok",
        "ok",
        "ok",
        REFUSED,
    ]
    rows = world.rows(
        "SELECT outcome, reason FROM login_attempt WHERE username = %s ORDER BY attempt_id",
        who.username,
    )
    assert [tuple(row) for row in rows] == [("accept", "ok")] * 2 + [("reject", REFUSED)]


@pytest.mark.rule("A7")
def test_the_slot_lapses_where_no_start_follows(world: MeterWorld) -> None:
    who = served(world)
    assert admit(world, at(0), verified(who, PHONE)) == ["ok"]
    assert admit(world, at(59), verified(who, LAPTOP)) == [REFUSED]
    assert admit(world, at(60), verified(who, LAPTOP)) == ["ok"]


@pytest.mark.rule("A7")
def test_the_slot_is_given_back_with_the_session(world: MeterWorld) -> None:
    who = served(world)
    assert admit(world, at(0), verified(who, PHONE)) == ["ok"]
    world.charge(start(who, at(1), calling_station=PHONE))
    assert admit(world, at(2), verified(who, LAPTOP)) == [REFUSED]
    assert admit(world, at(100), verified(who, LAPTOP)) == [REFUSED]
    world.charge(stop(who, at(101), 100, calling_station=PHONE))
    assert admit(world, at(101), verified(who, LAPTOP)) == ["ok"]
    world.charge(start(who, at(102), sid="s2", calling_station=LAPTOP))
    world.charge(stop(who, at(103), 1, sid="s2", calling_station=LAPTOP))
    # At once, not only when the slot of the login would have lapsed.
    assert admit(world, at(103), verified(who, TABLET)) == ["ok"]


@pytest.mark.rule("A7")
def test_a_late_record_of_the_session_before_does_not_spend_the_slot(world: MeterWorld) -> None:
    who = served(world)
    world.charge(start(who, at(0), calling_station=PHONE))
    assert admit(world, at(100), verified(who, PHONE)) == ["ok"]
    world.charge(stop(who, at(100), 100, calling_station=PHONE, arrived_at=at(101)))
    assert admit(world, at(102), verified(who, LAPTOP)) == [REFUSED]


@pytest.mark.rule("A7")
def test_the_same_station_takes_over_its_own_session(world: MeterWorld) -> None:
    who = served(world)
    world.charge(start(who, at(0), calling_station=PHONE))
    assert admit(world, at(10), verified(who, PHONE), verified(who, PHONE)) == ["ok", "ok"]
    assert world.orders(who) == []  # the NAS ends the old one itself
    assert admit(world, at(11), verified(who, LAPTOP)) == [REFUSED]


@pytest.mark.rule("A7", "C1")
def test_a_session_taken_over_from_another_nas_is_ordered_off(world: MeterWorld) -> None:
    who = served(world)
    world.charge(start(who, at(0), calling_station=PHONE, sid="old"))
    moved = verified(who, PHONE, nas=OTHER_ROUTER)
    assert admit(world, at(10), moved, moved) == ["ok", "ok"]
    (order,) = world.orders(who)
    (session,) = world.sessions(who)
    assert (order.session_id, order.nas_id) == (session.session_id, world.nas_ids[ROUTER])
    assert (order.goal, order.reason, order.state) == ("disconnect", "taken-over", "pending")


@pytest.mark.rule("A7", "U10")
def test_a_silent_session_does_not_block(world: MeterWorld) -> None:
    who = served(world)
    world.charge(start(who, at(0), calling_station=PHONE))
    world.charge(interim(who, at(300), 300, calling_station=PHONE))
    assert admit(world, at(300 + SILENCE - 1), verified(who, LAPTOP)) == [REFUSED]
    assert admit(world, at(300 + SILENCE), verified(who, LAPTOP)) == ["ok"]
    longer = replace(verified(who, TABLET, limit=2), silence_seconds=3600)
    assert admit(world, at(300 + SILENCE), longer) == [REFUSED]


@pytest.mark.rule("A7")
def test_logins_without_a_station_count_one_by_one(world: MeterWorld) -> None:
    who = served(world)
    nobody = verified(who, None, limit=3)
    assert admit(world, at(0), nobody, nobody) == ["ok", "ok"]
    world.charge(start(who, at(1), sid=new_id()))
    assert admit(world, at(2), nobody, nobody) == ["ok", REFUSED]
    world.charge(start(who, at(3), sid=new_id()), start(who, at(3), sid=new_id()))
    assert admit(world, at(4), nobody) == [REFUSED]


@pytest.mark.rule("A7")
def test_records_without_a_station_spend_the_slot_of_one_that_was_named(world: MeterWorld) -> None:
    who = served(world)
    assert admit(world, at(0), verified(who, PHONE, limit=2)) == ["ok"]
    world.charge(start(who, at(1)))
    assert admit(world, at(2), verified(who, LAPTOP, limit=2)) == ["ok"]


@pytest.mark.rule("A7", "B2")
def test_a_refused_login_starts_no_package(world: MeterWorld) -> None:
    who = world.customer([Pack(since_minutes=None, minutes=60)])
    (package,) = who.entitlement_ids
    assert admit(world, at(0), verified(who, PHONE)) == ["ok"]
    assert admit(world, at(1), verified(who, LAPTOP, entitlement_id=package)) == [REFUSED]
    assert world.entitlements(who)[0].valid_from is None
    assert admit(world, at(2), verified(who, PHONE, entitlement_id=package)) == ["ok"]
    assert world.entitlements(who)[0].valid_from == at(2)


@pytest.mark.rule("A7")
def test_subscriptions_of_one_customer_are_limited_apart(world: MeterWorld) -> None:
    first = served(world)
    second = world.subscription(first.customer_id, first.wallet_id, requires_entitlement=False)
    assert admit(world, at(0), verified(first), verified(second)) == ["ok", "ok"]


@pytest.mark.rule("A7", "F15")
def test_batches_on_several_lanes_never_let_in_one_too_many(world: MeterWorld) -> None:
    customers = [served(world) for _ in range(5)]
    lanes = [world.open_lane() for _ in range(4)]

    def batch(number: int) -> list[str]:
        order = customers if number % 2 else customers[::-1]
        logins = [verified(who, f"bb{number:02d}{n:02d}", limit=3) for who in order for n in (1, 2)]
        return [one.reason for one in admit_logins(lanes[number], logins, at(number))]

    with ThreadPoolExecutor(len(lanes)) as pool:
        reasons = [reason for found in pool.map(batch, range(4)) for reason in found]
    for lane in lanes:
        lane.close()
    assert reasons.count("ok") == 3 * len(customers)
    assert reasons.count(REFUSED) == 5 * len(customers)


@pytest.mark.rule("A7")
def test_slots_of_long_ago_are_swept_away(world: MeterWorld, context: Context) -> None:
    who, other = served(world), served(world)
    assert admit(world, at(0), verified(who)) == ["ok"]
    assert admit(world, at(1800), verified(other)) == ["ok"]
    silence.drop_lapsed_slots(context, at(3601))
    rows = world.rows(
        "SELECT customer_id FROM session_slot WHERE customer_id IN (%s, %s)",
        *(who.customer_id, other.customer_id),
    )
    assert [row.customer_id for row in rows] == [other.customer_id]

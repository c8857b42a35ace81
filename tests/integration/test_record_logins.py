"""What a batch of finished logins writes (rules A1, A3, A4, B2)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from billing.model.events import LoginRecord
from billing.services.login_lines import line_of, write_lines
from tests.integration.meter_world import ROUTER, Metered, MeterWorld, Pack, at, new_id

STATION, OTHER = "aabbccddeeff", "001122334455"


def _login(
    who: Metered | str,
    *,
    outcome: str = "accept",
    reason: str = "ok",
    station: str | None = STATION,
    entitlement_id: int = 0,
    nas: str = ROUTER,
) -> LoginRecord:
    if isinstance(who, str):
        return LoginRecord(who, 0, 0, nas, station, outcome, reason, 0, at(0))
    return LoginRecord(
        who.username,
        who.customer_id,
        who.subscription_id,
        nas,
        station,
        outcome,
        reason,
        entitlement_id,
        at(0),
    )


def _refused(who: Metered | str, station: str | None = STATION) -> LoginRecord:
    return _login(who, outcome="reject", reason="bad-password", station=station)


def _write(world: MeterWorld, *logins: LoginRecord, now: datetime | None = None) -> None:
    """One batch, written some seconds after the answers were sent."""
    write_lines(world.lane, [line_of(login) for login in logins], now or at(3))


def _throttle(world: MeterWorld, username: str) -> dict[str, tuple[int, datetime]]:
    rows = world.rows("SELECT * FROM login_throttle WHERE username = %s", username)
    return {row.calling_station: (row.failures, row.window_started_at) for row in rows}


def _attempts(world: MeterWorld, username: str) -> list[Any]:
    return world.rows(
        "SELECT * FROM login_attempt WHERE username = %s ORDER BY attempt_id", username
    )


@pytest.mark.rule("A3")
def test_every_attempt_is_in_the_history(world: MeterWorld) -> None:
    who, stranger = world.customer([Pack()]), new_id()
    _write(
        world,
        _login(who),
        _login(who, outcome="reject", reason="expired", nas="10.99.0.1", station=None),
        _login(stranger, outcome="reject", reason="unknown-user"),
    )
    accepted, refused = _attempts(world, who.username)
    assert (accepted.outcome, accepted.reason, accepted.calling_station) == (
        "accept",
        "ok",
        STATION,
    )
    assert (accepted.customer_id, accepted.subscription_id, accepted.org_id) == (
        who.customer_id,
        who.subscription_id,
        1,
    )
    assert (accepted.at, accepted.nas_id) == (at(0), world.nas_ids[ROUTER])
    assert (refused.outcome, refused.nas_id, refused.calling_station) == ("reject", 0, None)
    (unknown,) = _attempts(world, stranger)
    assert (unknown.customer_id, unknown.org_id, unknown.reason) == (0, None, "unknown-user")


@pytest.mark.rule("A4")
def test_wrong_passwords_count_for_the_station_and_for_all(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    _write(world, _refused(who), _refused(who), _refused(who, OTHER), _refused(who, None))
    assert _throttle(world, who.username) == {
        STATION: (2, at(3)),
        OTHER: (1, at(3)),
        "": (4, at(3)),
    }
    _write(world, _refused(who), now=at(60))
    assert _throttle(world, who.username)[STATION] == (3, at(3))
    _write(world, _refused(who), now=at(303))  # the window of five minutes is over
    assert _throttle(world, who.username)[STATION] == (1, at(303))
    assert _throttle(world, who.username)[OTHER] == (1, at(3))


@pytest.mark.rule("A4")
def test_other_refusals_are_no_wrong_passwords(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    _write(world, _login(who, outcome="reject", reason="expired"))
    assert _throttle(world, who.username) == {}


@pytest.mark.rule("A4")
@pytest.mark.parametrize("outcome", ["accept", "suspended"])
def test_success_forgives_its_own_station_only(world: MeterWorld, outcome: str) -> None:
    who = world.customer([Pack()])
    _write(world, _refused(who), _refused(who, OTHER))
    _write(world, _login(who, outcome=outcome), now=at(10))
    assert set(_throttle(world, who.username)) == {OTHER, ""}


@pytest.mark.rule("A4")
def test_wrong_passwords_of_unknown_users_count_too(world: MeterWorld) -> None:
    stranger = new_id()
    _write(world, _refused(stranger))
    assert _throttle(world, stranger)[STATION] == (1, at(3))


@pytest.mark.rule("A4", "F15")
def test_batches_that_name_the_same_users_in_opposite_orders(world: MeterWorld) -> None:
    users = [world.customer() for _ in range(8)]

    def write(turn: int) -> None:
        lane = world.open_lane()
        order = users if turn % 2 else users[::-1]
        for step in range(20):
            half = (step + turn) % 2
            batch = [
                _refused(one) if place % 2 == half else _login(one)
                for place, one in enumerate(order)
            ]
            write_lines(lane, [line_of(login) for login in batch], at(step))
        lane.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    assert sum(len(_attempts(world, one.username)) for one in users) == 3 * 20 * 8


@pytest.mark.rule("B2", "A1")
def test_first_login_starts_the_package_once(world: MeterWorld) -> None:
    who = world.customer([Pack(since_minutes=None, minutes=90)])
    (entitlement_id,) = who.entitlement_ids
    login = _login(who, entitlement_id=entitlement_id)
    _write(world, login, login, now=at(100))
    _write(world, login, now=at(200))
    package = world.entitlements(who)[0]
    assert (package.valid_from, package.valid_until) == (at(100), at(100, minutes=90))
    (row,) = world.rows(
        "SELECT service_next_change_at FROM subscription WHERE subscription_id = %s",
        who.subscription_id,
    )
    assert row.service_next_change_at == at(100, minutes=90)


@pytest.mark.rule("B2", "B4")
def test_followers_are_planned_behind_a_package_started_by_login(world: MeterWorld) -> None:
    waiting = Pack(since_minutes=None, minutes=60)
    who = world.customer([waiting, Pack(since_minutes=None, minutes=30, follows=True), waiting])
    _write(world, _login(who, entitlement_id=who.entitlement_ids[0]), now=at(0))
    first, follower, still_waiting = world.entitlements(who)
    assert (first.valid_from, first.valid_until) == (at(0), at(minutes=60))
    assert (follower.valid_from, follower.valid_until) == (at(minutes=60), at(minutes=90))
    assert still_waiting.valid_from is None


@pytest.mark.rule("B2")
def test_package_that_never_ends_starts_without_an_end(world: MeterWorld) -> None:
    who = world.customer([Pack(since_minutes=None, minutes=None, octets=5)])
    _write(world, _login(who, entitlement_id=who.entitlement_ids[0]))
    package = world.entitlements(who)[0]
    assert (package.valid_from, package.valid_until) == (at(3), None)


@pytest.mark.rule("B2")
def test_package_of_another_customer_is_not_started(world: MeterWorld) -> None:
    who, other = world.customer(), world.customer([Pack(since_minutes=None)])
    _write(world, _login(who, entitlement_id=other.entitlement_ids[0]))
    assert world.entitlements(other)[0].valid_from is None

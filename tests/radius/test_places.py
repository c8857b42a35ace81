"""Session slots and our own address pools through real FreeRADIUS, many logins at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import func, select, update

from billing.model.account import HoldBehaviour
from billing.model.decision import MESSAGES, Reason
from billing.model.pools import LeaseState, PoolKind, PoolView
from billing.services import holds, pools
from billing.store import tables
from billing.store.customers import lock_customer
from billing.store.pools import insert_pool
from rig.nas import LoginOutcome, SimulatedNas
from tests.factories import DAY_PLAN, MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.waiting import until

AT_ONCE = 200
_networks = count(1)


@pytest.fixture(scope="module")
def radius_threads() -> int:
    return 64


def stations(number: int) -> list[str]:
    return [f"02-00-00-00-{n // 256:02X}-{n % 256:02X}" for n in range(number)]


def together(logins: list[Callable[[], LoginOutcome]]) -> list[LoginOutcome]:
    """Every login in a thread of its own."""
    with ThreadPoolExecutor(len(logins)) as threads:
        return [one.result() for one in [threads.submit(login) for login in logins]]


def limited(make: Factory, now: datetime, limit: int) -> Subscriber:
    subscriber = make.subscriber(now, session_limit=limit)
    make.package(subscriber, now)
    return subscriber


def own_pool(
    make: Factory, now: datetime, addresses: int, kind: PoolKind = PoolKind.NORMAL
) -> PoolView:
    """A pool of ours, whose addresses no other test has."""
    number = next(_networks)
    first = f"10.77.{number}.1"
    return pools.add_pool(
        make.context,
        name=f"ours-{number}",
        ranges=[f"{first}-10.77.{number}.{addresses}"],
        netmask="255.255.255.0",
        kind=kind,
        now=now,
    )


def pooled(make: Factory, now: datetime, pool: PoolView) -> Subscriber:
    """A subscriber whose plan names the pool."""
    subscriber = make.subscriber(now, plan=replace(DAY_PLAN, pool=pool.name))
    make.package(subscriber, now)
    return subscriber


def login(nas: SimulatedNas, subscriber: Subscriber, station: str) -> LoginOutcome:
    return nas.login(subscriber.username, subscriber.password, calling_station=station)


def leased(nas: SimulatedNas, subscriber: Subscriber, station: str = "02-00-00-00-00-01") -> str:
    """The address of a login, once the server leases from the pool of this plan."""
    return str(until(lambda: login(nas, subscriber, station).first("Framed-IP-Address")))


def network(pool: PoolView) -> str:
    """What the addresses of `own_pool` have in common."""
    return pool.ranges[0].split("-")[0].rsplit(".", 1)[0] + "."


def reasons(make: Factory, subscriber: Subscriber) -> Counter[str]:
    attempt = tables.LoginAttempt
    with make.context.transaction() as tx:
        rows = tx.execute(
            select(attempt.reason, func.count())
            .where(attempt.username == subscriber.username)
            .group_by(attempt.reason)
        )
        return Counter(dict(map(tuple, rows)))


@pytest.mark.rule("A7")
def test_of_200_logins_at_once_as_many_get_in_as_may(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    subscriber = limited(make, now, 2)
    outcomes = together(
        [lambda s=station: login(nas, subscriber, s) for station in stations(AT_ONCE)]
    )
    assert Counter(outcome.result for outcome in outcomes) == {"accept": 2, "reject": 198}
    refused = {outcome.message for outcome in outcomes if outcome.result == "reject"}
    assert refused == {MESSAGES[Reason.TOO_MANY_SESSIONS]}
    until(lambda: reasons(make, subscriber).total() >= AT_ONCE)
    assert reasons(make, subscriber) == {"ok": 2, "too-many-sessions": 198}


@pytest.mark.rule("A6")
def test_of_200_logins_at_once_no_two_share_an_address(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    pool = own_pool(make, now, 50)
    subscribers = [pooled(make, now, pool) for _ in range(AT_ONCE)]
    leased(nas, subscribers[0])
    outcomes = together(
        [lambda one=subscriber: login(nas, one, "02-00-00-00-00-01") for subscriber in subscribers]
    )
    exhausted = MESSAGES[Reason.POOL_EXHAUSTED]
    assert Counter(outcome.message for outcome in outcomes) == {"": 50, exhausted: 150}
    accepted = [outcome for outcome in outcomes if outcome.result == "accept"]
    assert {str(outcome.first("Framed-IP-Address")) for outcome in accepted} == {
        f"{network(pool)}{host}" for host in range(1, 51)
    }
    assert {str(outcome.first("Framed-IP-Netmask")) for outcome in accepted} == {"255.255.255.0"}
    assert not any("Framed-Pool" in outcome.attributes for outcome in accepted)
    refused = {outcome.message for outcome in outcomes if outcome.result == "reject"}
    assert refused == {MESSAGES[Reason.POOL_EXHAUSTED]}
    view = pools.get_pool(make.context, pool.pool_id, now)
    assert (view.addresses, view.waiting, view.running, view.free) == (50, 50, 0, 0)


@pytest.mark.rule("A7")
def test_the_same_station_takes_over_and_a_stop_makes_room(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    subscriber = limited(make, now, 1)
    here, there = stations(2)
    session = nas.begin(subscriber.username, subscriber.password, calling_station=here)
    assert login(nas, subscriber, here).result == "accept"
    refused = login(nas, subscriber, there)
    assert (refused.result, refused.message) == ("reject", MESSAGES[Reason.TOO_MANY_SESSIONS])
    again = nas.start(subscriber.username, calling_station=here)
    assert nas.stop(session) and nas.stop(again)
    assert login(nas, subscriber, there).result == "accept"


@pytest.mark.rule("A7", "U10")
def test_a_session_that_fell_silent_does_not_block(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    subscriber = limited(make, now, 1)
    here, there = stations(2)
    nas.begin(subscriber.username, subscriber.password, calling_station=here)
    assert login(nas, subscriber, there).result == "reject"
    session = tables.LiveSession
    with make.context.transaction() as tx:
        tx.execute(
            update(session)
            .where(session.customer_id == subscriber.customer_id)
            .values(last_arrival_at=now - timedelta(seconds=900))
        )
    assert login(nas, subscriber, there).result == "accept"


@pytest.mark.rule("A7")
def test_a_wrong_password_takes_no_slot(make: Factory, nas: SimulatedNas, now: datetime) -> None:
    subscriber = limited(make, now, 1)
    here, there = stations(2)
    assert nas.login(subscriber.username, "wrong", calling_station=here).result == "reject"
    assert login(nas, subscriber, there).result == "accept"


@pytest.mark.rule("A6")
@pytest.mark.parametrize("method", ["pap", "chap", "mschapv2"])
def test_a_reconnect_keeps_its_address(
    make: Factory, nas: SimulatedNas, now: datetime, method: str
) -> None:
    pool = own_pool(make, now, 5)
    subscriber = pooled(make, now, pool)
    first = leased(nas, subscriber)
    session = nas.start(subscriber.username, framed_ip=first)
    (lease,) = pools.leases(make.context, pool.pool_id, now)
    assert (lease.address, lease.username) == (first, subscriber.username)
    assert lease.state is LeaseState.RUNNING
    assert nas.stop(session)
    assert leased(nas, pooled(make, now, pool), "02-00-00-00-00-09") != first
    again = nas.login(subscriber.username, subscriber.password, method=method)
    assert again.first("Framed-IP-Address") == first


@pytest.mark.rule("A6", "B10")
def test_suspension_withholds_the_fixed_address_and_leases_a_suspended_one(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    walled = own_pool(make, now, 5, PoolKind.SUSPENDED)
    normal = own_pool(make, now, 5)
    profile = replace(MONTHLY, suspended_pool=walled.name)
    plan = replace(MONTH_PLAN, pool=normal.name)
    subscriber = make.subscriber(now, profile=profile, plan=plan, framed_ip="10.200.0.9")
    until(lambda: "Framed-Pool" not in login(nas, subscriber, "02-00-00-00-00-01").attributes)
    assert leased(nas, subscriber) == "10.200.0.9"
    assert pools.get_pool(make.context, normal.pool_id, now).waiting == 0
    holds.suspend(
        make.context,
        subscriber.subscription_id,
        note="until he calls",
        now=now,
        behaviour=HoldBehaviour.SUSPENDED_POOL,
    )
    assert leased(nas, subscriber).startswith(network(walled))
    holds.resume(make.context, subscriber.subscription_id, now)
    assert leased(nas, subscriber) == "10.200.0.9"


@pytest.mark.rule("B10")
def test_a_pool_of_the_wrong_kind_is_not_leased_from(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    """Services refuse it; a pool of the organisation above may turn out to be of that kind."""
    subscriber = make.subscriber(now, plan=replace(DAY_PLAN, pool="for others"))
    make.package(subscriber, now)
    with make.context.transaction() as tx:
        row = tables.AddressPool(
            org_id=1, name="for others", kind="suspended", ranges="10.76.0.1", created_at=now
        )
        insert_pool(tx, row, [("10.76.0.1", 1)])
    until(lambda: login(nas, subscriber, "02-00-00-00-00-01").result == "reject")
    refused = login(nas, subscriber, "02-00-00-00-00-01")
    assert refused.message == MESSAGES[Reason.UNAVAILABLE]


@pytest.mark.rule("A1", "A6")
def test_a_login_that_needs_an_address_is_refused_while_it_cannot_be_written(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    subscriber, other = (pooled(make, now, own_pool(make, now, 5)) for _ in range(2))
    assert leased(nas, subscriber) and leased(nas, other)
    with make.context.transaction() as tx:
        lock_customer(tx, subscriber.customer_id)
        together(
            [
                lambda: login(nas, subscriber, "02-00-00-00-00-01"),
                lambda: login(nas, other, "02-00-00-00-00-01"),
            ]
        )
        refused = login(nas, subscriber, "02-00-00-00-00-01")
        assert (refused.result, refused.message) == ("reject", MESSAGES[Reason.UNAVAILABLE])
        assert login(nas, other, "02-00-00-00-00-01").result == "accept"

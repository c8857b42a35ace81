"""Session slots and our own address pools through real FreeRADIUS, many logins at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import count

import pytest
from sqlalchemy import func, select

from billing.model.decision import MESSAGES, Reason
from billing.model.pools import PoolKind, PoolView
from billing.services import pools
from billing.store import tables
from rig.nas import LoginOutcome, SimulatedNas
from tests.factories import DAY_PLAN, Factory, Subscriber
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
    """A pool of ours, whose addresses no other test has; its READ_AGAIN has passed."""
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


def read_pools(nas: SimulatedNas, subscriber: Subscriber) -> None:
    """Wait until the server knows the pool of this subscriber's plan."""
    until(lambda: "Framed-Pool" not in login(nas, subscriber, "02-FF-FF-FF-FF-FF").attributes)


def login(nas: SimulatedNas, subscriber: Subscriber, station: str) -> LoginOutcome:
    return nas.login(subscriber.username, subscriber.password, calling_station=station)


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
    until(lambda: login(nas, subscribers[0], "02-00-00-00-00-00").first("Framed-IP-Address"))
    outcomes = together(
        [lambda one=subscriber: login(nas, one, "02-00-00-00-00-00") for subscriber in subscribers]
    )
    assert Counter(outcome.result for outcome in outcomes) == {"accept": 50, "reject": 150}
    accepted = [outcome for outcome in outcomes if outcome.result == "accept"]
    third = pool.ranges[0].split(".")[2]
    assert {str(outcome.first("Framed-IP-Address")) for outcome in accepted} == {
        f"10.77.{third}.{host}" for host in range(1, 51)
    }
    assert {str(outcome.first("Framed-IP-Netmask")) for outcome in accepted} == {"255.255.255.0"}
    assert not any("Framed-Pool" in outcome.attributes for outcome in accepted)
    refused = {outcome.message for outcome in outcomes if outcome.result == "reject"}
    assert refused == {MESSAGES[Reason.POOL_EXHAUSTED]}
    view = pools.get_pool(make.context, pool.pool_id, now)
    assert (view.addresses, view.waiting, view.running, view.free) == (50, 50, 0, 0)

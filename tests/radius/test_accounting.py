"""Accounting through real FreeRADIUS: what was acknowledged is in the database, exactly once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from billing.clock import utc_now
from billing.store import tables
from rig.nas import NasSession, SimulatedNas, StatusType
from rig.radius import RadiusServer
from tests.factories import Factory
from tests.radius import meter

Record = tuple[NasSession, StatusType]


def at(session: NasSession, status: StatusType, *counters: int) -> Record:
    """A record of the session as it was when its counters (seconds, in, out) read so."""
    then = copy(session)
    then.seconds, then.input_octets, then.output_octets = counters or (0, 0, 0)
    return then, status


@pytest.mark.rule("U1")
@pytest.mark.rule("Q1")
def test_what_is_acknowledged_is_charged(make: Factory, nas: SimulatedNas, now: datetime) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, seconds=3_600, octets=1_000_000)
    session = nas.begin(subscriber.username, subscriber.password)
    assert nas.interim(session, seconds=60, input_octets=1_000, output_octets=9_000)
    assert meter.left(make.context, subscriber) == [(3_540, 990_000)]
    assert nas.interim(session, seconds=120, input_octets=1_500, output_octets=20_000)
    assert meter.left(make.context, subscriber) == [(3_480, 978_500)]
    session.seconds = 130
    assert nas.stop(session)
    assert meter.left(make.context, subscriber) == [(3_470, 978_500)]
    (ended,) = meter.sessions(make.context, subscriber)
    assert ended.closed_at is not None
    assert ended.terminate_cause == "User-Request"
    assert str(ended.framed_ip) == "10.20.0.1"
    assert ended.session_class == f"tw1:{subscriber.subscription_id}:n"
    assert meter.sliced(make.context, subscriber) == (130, 1_500, 20_000)


@pytest.mark.rule("U2")
def test_resent_and_reordered_records_count_once(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, seconds=86_400, octets=10**9)
    session = NasSession(subscriber.username, "s-reordered", "02-00-00-00-00-01")
    records = [
        at(session, "Start"),
        *(at(session, "Interim-Update", n * 60, n * 1_000, n * 7_000) for n in range(1, 6)),
        at(session, "Stop", 330, 5_500, 38_500),
    ]
    copies = records * 4
    random.Random(3).shuffle(copies)
    with ThreadPoolExecutor(max_workers=8) as pool:
        assert all(pool.map(lambda record: nas.account(*record), copies))
    assert meter.totals(make.context, subscriber) == [(330, 5_500, 38_500)]
    assert meter.left(make.context, subscriber) == [(86_400 - 330, 10**9 - 44_000)]
    assert meter.sliced(make.context, subscriber) == (330, 5_500, 38_500)
    lines = meter.journal(make.context, subscriber)
    assert len(lines) == len(copies)
    assert sum(line.added_seconds for line in lines) == 330


@pytest.mark.rule("U2")
@pytest.mark.rule("U9")
def test_many_sessions_at_once_are_exact(make: Factory, nas: SimulatedNas, now: datetime) -> None:
    """Several sessions of several customers, all records twice, eight at a time."""
    subscribers = [make.subscriber(now) for _ in range(6)]
    for subscriber in subscribers:
        make.package(subscriber, now, octets=10**12)
    records: list[Record] = []
    for subscriber in subscribers:
        for number in range(3):
            session = NasSession(
                subscriber.username,
                f"s-{subscriber.username}-{number}",
                f"02-00-00-00-00-{number:02}",
            )
            records += [
                at(session, "Start"),
                *(
                    at(session, "Interim-Update", n * 30, n * 10_001, n * 1_003)
                    for n in range(1, 5)
                ),
                at(session, "Stop", 125, 40_007, 4_013),
            ]
    with ThreadPoolExecutor(max_workers=8) as pool:
        assert all(pool.map(lambda record: nas.account(*record), records * 2))
    for subscriber in subscribers:
        assert meter.totals(make.context, subscriber) == [(125, 40_007, 4_013)] * 3
        assert meter.sliced(make.context, subscriber) == (375, 120_021, 12_039)
        assert meter.left(make.context, subscriber) == [(None, 10**12 - 132_060)]


@pytest.mark.rule("U5")
def test_a_lost_start_and_a_late_interim(make: Factory, nas: SimulatedNas, now: datetime) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now)
    session = NasSession(subscriber.username, "s-no-start", "02-00-00-00-00-01")
    assert nas.account(*at(session, "Stop", 300, 50, 60))
    (stopped,) = meter.sessions(make.context, subscriber)
    assert stopped.closed_at is not None
    assert stopped.closed_at - stopped.started_at == timedelta(seconds=300)
    # Late, and with a counter that the Stop did not have: stays closed, still counts.
    assert nas.account(*at(session, "Interim-Update", 290, 70, 40))
    assert nas.account(*at(session, "Stop", 300, 50, 60))
    (after,) = meter.sessions(make.context, subscriber)
    assert after.closed_at == stopped.closed_at
    assert meter.totals(make.context, subscriber) == [(300, 70, 60)]


@pytest.mark.rule("U4")
def test_gigawords_are_counted(make: Factory, nas: SimulatedNas, now: datetime) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, octets=100 * 2**30)
    session = nas.start(subscriber.username)
    assert nas.interim(session, seconds=600, input_octets=5 * 2**32 + 3, output_octets=2**32)
    assert meter.totals(make.context, subscriber) == [(600, 5 * 2**32 + 3, 2**32)]


@pytest.mark.rule("U6")
def test_the_event_time_is_the_nas_s(make: Factory, nas: SimulatedNas, now: datetime) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now)
    session = NasSession(subscriber.username, "s-delayed", "02-00-00-00-00-01", seconds=60)
    hour_ago = utc_now().replace(microsecond=0) - timedelta(hours=1)
    stamp = {"Event-Timestamp": int(hour_ago.timestamp())}
    assert nas.account(session, "Interim-Update", delay_seconds=3_600, extra=stamp)
    (seen,) = meter.sessions(make.context, subscriber)
    assert abs(seen.last_event_at - hour_ago) <= timedelta(seconds=2)
    assert seen.last_arrival_at >= hour_ago + timedelta(hours=1)


@pytest.mark.rule("U7")
def test_a_restarted_nas_ends_its_own_sessions_only(
    make: Factory, nas: SimulatedNas, radius: dict[str, RadiusServer], now: datetime
) -> None:
    here, there = make.subscriber(now), make.subscriber(now)
    ports = {"auth_port": radius["auth"].port, "acct_port": radius["acct"].port}
    with make.simulated_nas(now, **ports) as other:
        for subscriber, router in ((here, nas), (there, other)):
            make.package(subscriber, now)
            session = NasSession(subscriber.username, "s-1", "02-00-00-00-00-01", seconds=30)
            stamp = {"Event-Timestamp": int(now.timestamp()) - 60}
            assert router.account(session, "Interim-Update", extra=stamp)
        restarted = NasSession("", "", "")
        assert nas.account(restarted, "Accounting-On")
    (ended,) = meter.sessions(make.context, here)
    (running,) = meter.sessions(make.context, there)
    assert ended.closed_at == ended.last_event_at
    assert ended.terminate_cause == "NAS-Reboot"
    assert running.closed_at is None


@pytest.mark.rule("U8")
def test_a_nas_that_swaps_directions(
    make: Factory, radius: dict[str, RadiusServer], now: datetime
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now)
    swapping = make.simulated_nas(now, acct_port=radius["acct"].port)
    with make.context.transaction() as tx:
        tx.execute(
            update(tables.Nas).where(tables.Nas.nas_id == swapping.nas_id).values(swap_octets=True)
        )
    with swapping:
        session = swapping.start(subscriber.username)
        assert swapping.interim(session, seconds=10, input_octets=1, output_octets=2)
    assert meter.totals(make.context, subscriber) == [(10, 2, 1)]


@pytest.mark.rule("U12")
def test_addresses_are_kept(make: Factory, nas: SimulatedNas, now: datetime) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now)
    session = NasSession(subscriber.username, "s-v6", "02-00-00-00-00-01", framed_ip="10.20.0.9")
    prefixes = {"Framed-IPv6-Prefix": "2001:db8:1::/64", "Delegated-IPv6-Prefix": "2001:db8:2::/56"}
    assert nas.account(session, "Start", extra=prefixes)
    (seen,) = meter.sessions(make.context, subscriber)
    assert str(seen.framed_ip) == "10.20.0.9"
    assert seen.framed_ipv6_prefix == "2001:db8:1::/64"
    assert seen.delegated_ipv6_prefix == "2001:db8:2::/56"


@pytest.mark.rule("C1")
def test_exhaustion_orders_one_disconnect_a_session(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, octets=10_000)
    first = nas.start(subscriber.username)
    nas.start(subscriber.username, calling_station="02-00-00-00-00-02")
    assert nas.interim(first, seconds=10, input_octets=0, output_octets=9_999)
    assert meter.intents(make.context, subscriber) == []
    first.seconds, first.output_octets = 20, 12_000
    with ThreadPoolExecutor(max_workers=8) as pool:
        assert all(pool.map(lambda _: nas.account(first, "Interim-Update"), range(8)))
    assert (
        meter.intents(make.context, subscriber) == [("disconnect", "data-used-up", "pending")] * 2
    )
    assert meter.left(make.context, subscriber) == [(None, 0)]
    # What was used beyond the package is recorded, not lost (rule Q1).
    assert meter.sliced(make.context, subscriber) == (20, 0, 12_000)

"""The database dies, stands still, or has no room left: nothing acknowledged is lost or counted
twice, nothing is acknowledged falsely, and service comes back by itself (rules U1, U2)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import select

from billing.clock import utc_now
from billing.model.decision import MESSAGES, Reason
from billing.store import tables
from rig.nas import SimulatedNas
from tests.factories import Factory, Subscriber
from tests.radius import meter
from tests.radius.installation import Installation, installation
from tests.radius.outage import Load, SmallDisk, fill, frozen, pids, thaw
from tests.waiting import until

UNAVAILABLE = ("reject", MESSAGES[Reason.UNAVAILABLE])


@pytest.fixture(scope="module")
def isp(product_copy: Path) -> Iterator[Installation]:
    with installation(product_copy) as made:
        yield made


@pytest.fixture
def make(isp: Installation) -> Factory:
    return isp.make


@pytest.fixture
def nas(isp: Installation) -> Iterator[SimulatedNas]:
    with isp.make.simulated_nas(utc_now(), **isp.ports) as made:
        made.timeout_seconds = 1.0
        yield made


@pytest.mark.rule("U1")
@pytest.mark.rule("U2")
def test_killing_postgresql_in_mid_load_loses_nothing_and_charges_nothing_twice(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    before = pids(isp)
    subscriber = make.subscriber(utc_now())
    make.package(subscriber, utc_now())
    assert nas.login(subscriber.username, subscriber.password).result == "accept"
    with Load(isp) as load:
        load.more(200)
        for _ in range(2):
            isp.cluster.kill()
            refused = load.refusals
            # The servers go on: a login is told so, and no record is acknowledged.
            outcome = nas.login(subscriber.username, subscriber.password)
            assert (outcome.result, outcome.message) == UNAVAILABLE
            acknowledged = len(load.acknowledged)
            until(lambda: load.refusals >= refused + load.threads)  # noqa: B023
            # Those whose answer was on its way at the time of the kill.
            assert len(load.acknowledged) <= acknowledged + load.threads
            isp.cluster.start()
            load.more(200)
    load.check()
    assert nas.login(subscriber.username, subscriber.password).result == "accept"
    assert pids(isp) == before


@contextmanager
def holding(isp: Installation, statement: str, *parameters: object) -> Iterator[None]:
    """A transaction that has run this statement and does not end."""
    with psycopg.connect(isp.settings.admin_dsn(isp.settings.database_name)) as holder:
        holder.execute(statement, parameters)
        yield
        holder.rollback()


@pytest.mark.rule("U1")
def test_one_customer_held_up_does_not_hold_up_the_others(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    now = utc_now().replace(microsecond=0)
    stuck = make.subscriber(now)
    make.package(stuck, now, octets=10**6)
    session = nas.start(stuck.username)
    session.seconds, session.input_octets = 60, 700
    lock = "SELECT 1 FROM customer WHERE customer_id = %s FOR UPDATE"
    with Load(isp, threads=4) as load, holding(isp, lock, stuck.customer_id):
        assert not nas.account(session, "Interim-Update", resends=2)
        load.more(100)
        assert not nas.account(session, "Interim-Update", resends=0)
    load.check()
    assert nas.account(session, "Interim-Update", resends=10)
    assert meter.totals(isp.context, stuck) == [(60, 700, 0)]
    assert meter.left(isp.context, stuck) == [(None, 10**6 - 700)]


@pytest.mark.rule("U1")
def test_a_database_that_stands_still_gets_no_record_acknowledged(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    now = utc_now().replace(microsecond=0)
    subscriber = make.subscriber(now)
    make.package(subscriber, now, octets=10**6)
    session = nas.start(subscriber.username)
    session.seconds, session.output_octets = 60, 900
    tables = "live_session, login_attempt, entitlement"
    with holding(isp, f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"):
        assert not nas.account(session, "Interim-Update", resends=4)
        nas.timeout_seconds = 15.0
        outcome = nas.login(subscriber.username, subscriber.password)
        assert (outcome.result, outcome.message) == UNAVAILABLE
    assert nas.account(session, "Interim-Update", resends=10)
    assert nas.account(session, "Interim-Update")
    assert meter.totals(isp.context, subscriber) == [(60, 0, 900)]
    assert meter.left(isp.context, subscriber) == [(None, 10**6 - 900)]
    assert nas.login(subscriber.username, subscriber.password).result == "accept"


@pytest.mark.rule("U1")
def test_a_database_that_hangs_does_not_hang_the_servers(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    """Its time limits are its own and do not help; and the entry of the NAS has grown old."""
    now = utc_now().replace(microsecond=0)
    subscriber = make.subscriber(now)
    make.package(subscriber, now, octets=10**6)
    session = nas.begin(subscriber.username, subscriber.password)
    session.seconds, session.output_octets = 60, 900
    nas.timeout_seconds = 10.0
    threading.Event().wait(1.5)  # longer than `client_lifetime_seconds`
    with frozen(isp), ThreadPoolExecutor(max_workers=8) as pool:
        records = [pool.submit(nas.account, session, "Interim-Update", resends=0) for _ in "ab"]
        logins = [
            pool.submit(nas.login, subscriber.username, subscriber.password) for _ in range(6)
        ]
        # The first ones wait with their lanes; whoever queued behind them is told in time.
        told = until(lambda: [login.result() for login in logins if login.done()])
        assert {(outcome.result, outcome.message) for outcome in told} == {UNAVAILABLE}
        assert not any(record.done() for record in records)
        thaw(isp)
    assert nas.login(subscriber.username, subscriber.password).result == "accept"
    assert nas.account(session, "Interim-Update", resends=10)
    assert meter.totals(isp.context, subscriber) == [(60, 0, 900)]
    assert meter.left(isp.context, subscriber) == [(None, 10**6 - 900)]


def test_while_the_database_is_down_only_known_nas_are_served(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    now = utc_now().replace(microsecond=0)
    subscriber = make.subscriber(now)
    make.package(subscriber, now)
    assert nas.login(subscriber.username, subscriber.password).result == "accept"
    with make.simulated_nas(now, **isp.ports) as newcomer:
        newcomer.timeout_seconds = 1.0
        isp.cluster.stop()
        try:
            # Known by its last look-up, although that has grown old meanwhile.
            outcome = nas.login(subscriber.username, subscriber.password)
            assert (outcome.result, outcome.message) == UNAVAILABLE
            assert newcomer.login(subscriber.username, subscriber.password).result == "silence"
        finally:
            isp.cluster.start()
        assert newcomer.login(subscriber.username, subscriber.password).result == "accept"
        assert nas.login(subscriber.username, subscriber.password).result == "accept"
    assert "using what was known" in isp.log("radiusd-auth")
    # The attempt of that time is in the history, too (rule A3).
    until(lambda: "unavailable" in reasons(isp, subscriber))


def reasons(isp: Installation, subscriber: Subscriber) -> list[str]:
    """Of the login attempts under this name."""
    attempt = tables.LoginAttempt
    with isp.context.transaction() as tx:
        chosen = select(attempt.reason).where(attempt.username == subscriber.username)
        return list(tx.scalars(chosen))


def test_no_secret_is_in_any_log(isp: Installation, nas: SimulatedNas) -> None:
    """Errors of a broken database quote nothing of what was being stored."""
    for path in (isp.settings.state_dir / "log").iterdir():
        text = path.read_bytes()
        assert b"correct horse" not in text
        assert nas.secret not in text
        for role in ("owner", "radius", "worker"):
            assert isp.settings.role_password(role).encode() not in text


@pytest.fixture(scope="module")
def small_disk(product_copy: Path) -> Iterator[Installation]:
    """An installation whose database has a small disk of its own, in memory."""
    with (
        SmallDisk("pg", "160m") as disk,
        installation(product_copy, prepare=disk.mount, max_wal_size="64MB") as made,
    ):
        yield made
        made.cluster.stop()
        disk.unmount()


@pytest.mark.rule("U1")
@pytest.mark.rule("U2")
def test_a_full_disk_gets_no_record_acknowledged_falsely(small_disk: Installation) -> None:
    before = pids(small_disk)
    filler = small_disk.cluster.data_dir / "filler"
    with Load(small_disk) as load:
        load.more(50)
        fill(filler)
        refused = load.refusals
        until(lambda: load.refusals >= refused + 2 * load.threads, seconds=90)
        filler.unlink()
        # Does nothing unless PostgreSQL has given up meanwhile.
        small_disk.cluster.start()
        load.more(100)
    load.check()
    assert pids(small_disk) == before
    assert "No space left on device" in small_disk.log("postgres")
    assert _answers(small_disk)


def _answers(isp: Installation) -> Any:
    with psycopg.connect(isp.settings.dsn("readonly")) as reader:
        return reader.execute("SELECT 1").fetchone()

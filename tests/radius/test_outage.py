"""The database dies, stands still, or has no room left: nothing acknowledged is lost or counted
twice, nothing is acknowledged falsely, and service comes back by itself (rules U1, U2)."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import select

from billing.clock import utc_now
from billing.model.decision import MESSAGES, Reason
from billing.store import tables
from rig.nas import NasSession, SimulatedNas
from rig.processes import children_of
from tests.factories import Factory, Subscriber
from tests.radius import meter
from tests.radius.installation import Installation, installation
from tests.waiting import until

PACKAGE_OCTETS = 10**12
UNAVAILABLE = ("reject", MESSAGES[Reason.UNAVAILABLE])
DISK = "160m"


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


@dataclass
class Load:
    """Several NAS at once, each with a session whose counters rise with every record.

    A record is sent, and sent again, until it is acknowledged, and then noted in `acknowledged`.
    """

    isp: Installation
    threads: int = 6
    acknowledged: list[tuple[str, int, int, int]] = field(default_factory=list)
    refusals: int = 0

    def __enter__(self) -> Load:
        now = utc_now().replace(microsecond=0)
        self._stopping, self._giving_up = threading.Event(), threading.Event()
        self._stack = ExitStack()
        self.pairs: list[tuple[Subscriber, NasSession]] = []
        self._running = []
        for _ in range(self.threads):
            router = self._stack.enter_context(self.isp.make.simulated_nas(now, **self.isp.ports))
            router.timeout_seconds = 0.5
            subscriber = self.isp.make.subscriber(now)
            self.isp.make.package(subscriber, now, seconds=10**6, octets=PACKAGE_OCTETS)
            session = router.start(subscriber.username)
            self.pairs.append((subscriber, session))
            self._running.append(threading.Thread(target=self._run, args=(router, session)))
        for thread in self._running:
            thread.start()
        return self

    def _run(self, router: SimulatedNas, session: NasSession) -> None:
        while not self._stopping.is_set():
            session.seconds += 1
            session.input_octets += 1_001
            session.output_octets += 10_007
            while not router.account(session, "Interim-Update", resends=1):
                self.refusals += 1
                if self._giving_up.is_set():
                    return
            self.acknowledged.append(
                (
                    session.acct_session_id,
                    session.seconds,
                    session.input_octets,
                    session.output_octets,
                )
            )

    def more(self, number: int) -> None:
        """Wait until this many further records were acknowledged, and some of every session."""
        before = list(self.acknowledged)
        goal = len(before) + number

        def reached() -> bool:
            news = self.acknowledged[len(before) :]
            return len(self.acknowledged) >= goal and len({r[0] for r in news}) == self.threads

        until(reached, seconds=60)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Let every session end with an acknowledged record, unless the test has failed."""
        if kind is not None:
            self._giving_up.set()
        self._stopping.set()
        for thread in self._running:
            thread.join(60)
        stuck = [thread for thread in self._running if thread.is_alive()]
        self._giving_up.set()
        self._stack.close()
        assert not stuck, "records are not acknowledged any more"

    def check(self) -> None:
        """Every acknowledged record is in the journal, and all of it is charged just once."""
        context = self.isp.context
        stored = set()
        for subscriber, session in self.pairs:
            lines = meter.journal(context, subscriber)
            stored |= {
                (line.acct_session_id, line.session_seconds, line.input_octets, line.output_octets)
                for line in lines
            }
            seconds, received, sent = session.seconds, session.input_octets, session.output_octets
            assert meter.totals(context, subscriber) == [(seconds, received, sent)]
            assert meter.left(context, subscriber) == [
                (10**6 - seconds, PACKAGE_OCTETS - received - sent)
            ]
            assert meter.sliced(context, subscriber) == (seconds, received, sent)
            assert sum(line.added_seconds for line in lines) == seconds
        assert set(self.acknowledged) <= stored


def pids(isp: Installation) -> list[int | None]:
    return [p.pid if (p := server.process()) else None for server in isp.radius.values()]


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


@contextmanager
def frozen(isp: Installation) -> Iterator[None]:
    """PostgreSQL holds its connections but does nothing at all, as on a host that has hung."""
    signal_all(isp, signal.SIGSTOP)
    try:
        yield
    finally:
        thaw(isp)


def thaw(isp: Installation) -> None:
    signal_all(isp, signal.SIGCONT)


def signal_all(isp: Installation, number: signal.Signals) -> None:
    postmaster = isp.cluster.process()
    assert postmaster is not None
    for pid in (postmaster.pid, *children_of(postmaster.pid)):
        os.kill(pid, number)


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
    if os.geteuid() != 0:
        pytest.skip("only root can mount the small disk that this fills")
    mounted: list[Path] = []

    def mount(state_dir: Path) -> None:
        disk = state_dir / "pg"
        disk.mkdir()
        argv = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tollway-test", str(disk)]
        subprocess.run(argv, check=True)
        mounted.append(disk)

    try:
        with installation(product_copy, prepare=mount, max_wal_size="64MB") as made:
            yield made
            made.cluster.stop()
            subprocess.run(["umount", str(mounted.pop())], check=True)
    finally:
        for disk in mounted:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.rule("U1")
@pytest.mark.rule("U2")
def test_a_full_disk_gets_no_record_acknowledged_falsely(small_disk: Installation) -> None:
    before = pids(small_disk)
    filler = small_disk.cluster.data_dir / "filler"
    with Load(small_disk) as load:
        load.more(50)
        _fill(filler)
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


def _fill(filler: Path) -> None:
    """Take what room there is, to the last octet."""
    with filler.open("wb", buffering=0) as stream:
        for size in (2**20, 2**12, 1):
            try:
                while True:
                    stream.write(b"\0" * size)
            except OSError:
                continue


def _answers(isp: Installation) -> Any:
    with psycopg.connect(isp.settings.dsn("readonly")) as reader:
        return reader.execute("SELECT 1").fetchone()

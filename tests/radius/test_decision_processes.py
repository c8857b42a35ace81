"""Logins decided by a process beside radiusd, and without it when it is gone (docs/adr/0015)."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from billing.clock import utc_now
from billing.services import metrics
from billing.store import tables
from rig.nas import SimulatedNas
from rig.processes import children_of, start_ticks
from tests.factories import DAY_PLAN, Subscriber
from tests.radius.installation import Installation, installation
from tests.waiting import until

HOUR = replace(DAY_PLAN, outage_minutes=60)


@pytest.fixture(scope="module")
def isp(product_copy: Path) -> Iterator[Installation]:
    environment = {"TOLLWAY_AUTH_PROCESSES": "1", "TOLLWAY_STATEMENT_TIMEOUT_MS": "1500"}
    with installation(product_copy, environment=environment) as made:
        yield made


@pytest.fixture
def nas(isp: Installation) -> Iterator[SimulatedNas]:
    with isp.make.simulated_nas(utc_now(), **isp.ports) as made:
        made.timeout_seconds = 3.0
        yield made


@pytest.fixture
def subscribers(isp: Installation) -> list[Subscriber]:
    now = utc_now()
    made = [isp.make.subscriber(now, plan=HOUR) for _ in range(8)]
    for subscriber in made:
        isp.make.package(subscriber, now)
    return made


def process(isp: Installation) -> int:
    """The decision process, once it is there."""
    server = isp.radius["auth"].process()
    assert server is not None
    found: list[int] = []
    until(lambda: bool(found.extend(children_of(server.pid)) or found))
    (pid,) = set(found)
    return pid


def decided(isp: Installation) -> tuple[float, float]:
    """Whether the process is there, and how many logins it has decided."""
    figures = metrics.read(isp.settings.metrics_file("radiusd-auth"))
    names = ("decision_processes", "decision_processes_logins_total")
    return tuple(figures.get(name, 0) for name in names)  # type: ignore[return-value]


@contextmanager
def load(nas: SimulatedNas, subscribers: list[Subscriber]) -> Iterator[Callable[[int], None]]:
    """All log in again and again; what is given waits for this many more logins of each. Every one
    of them must be accepted."""
    stopping = threading.Event()
    counts = [0] * len(subscribers)

    def run(place: int) -> None:
        one = subscribers[place]
        while not stopping.is_set():
            outcome = nas.login(one.username, one.password)
            assert (outcome.result, outcome.message) == ("accept", "")
            counts[place] += 1

    def more(number: int) -> None:
        goal = [count + number for count in counts]
        until(lambda: all(c >= g for c, g in zip(counts, goal, strict=True)) or done())

    def done() -> bool:
        return any(each.done() for each in running)

    with ThreadPoolExecutor(len(subscribers)) as pool:
        running = [pool.submit(run, place) for place in range(len(subscribers))]
        try:
            yield more
        finally:
            stopping.set()
        for each in running:
            each.result()


def test_it_decides_a_part_of_the_logins_and_all_are_in_the_history(
    isp: Installation, nas: SimulatedNas, subscribers: list[Subscriber]
) -> None:
    process(isp)
    with load(nas, subscribers) as more:
        until(lambda: decided(isp)[0] == 1)
        _, before = decided(isp)
        more(20)
        until(lambda: decided(isp)[1] > before + 10)
    wrong = nas.login(subscribers[0].username, "wrong")
    assert wrong.result == "reject"
    attempt = tables.LoginAttempt

    def lines(outcome: str) -> int:
        names = [one.username for one in subscribers]
        with isp.context.transaction() as tx:
            chosen = select(func.count()).where(
                attempt.username.in_(names), attempt.outcome == outcome
            )
            return tx.scalar(chosen) or 0

    until(lambda: lines("reject") == 1)
    assert lines("accept") >= 20 * len(subscribers)


def test_killed_it_is_done_without_and_started_again(
    isp: Installation, nas: SimulatedNas, subscribers: list[Subscriber]
) -> None:
    with load(nas, subscribers) as more:
        for _ in range(3):
            pid = process(isp)
            until(lambda: decided(isp)[0] == 1)
            more(3)
            os.kill(pid, signal.SIGKILL)
            more(5)
            until(lambda old=pid: process(isp) != old)
    assert "decided in radiusd until another one is up" in isp.log("radiusd-auth")


def test_hung_it_is_given_up_and_started_again(
    isp: Installation, nas: SimulatedNas, subscribers: list[Subscriber]
) -> None:
    """Its batch is refused as one that the database did not do; nobody waits for ever."""
    pid = process(isp)
    until(lambda: decided(isp)[0] == 1)
    os.kill(pid, signal.SIGSTOP)
    nas.timeout_seconds = 10.0

    def volley() -> set[str]:
        outcomes = pool.map(lambda s: nas.login(s.username, s.password), subscribers)
        return {outcome.result for outcome in outcomes}

    with ThreadPoolExecutor(8) as pool:
        until(lambda: volley() <= {"accept", "reject"} and process(isp) != pid)
        until(lambda: volley() == {"accept"})
    until(lambda: decided(isp)[0] == 1)
    with load(nas, subscribers) as more:
        more(3)


@pytest.mark.rule("A8")
def test_what_it_granted_is_granted_during_an_outage(
    isp: Installation, nas: SimulatedNas, subscribers: list[Subscriber]
) -> None:
    process(isp)
    until(lambda: decided(isp)[0] == 1)
    known = isp.settings.metrics_file("radiusd-auth")
    with load(nas, subscribers) as more:
        more(20)
    until(lambda: metrics.read(known).get("snapshot_accounts", 0) >= len(subscribers))
    isp.cluster.stop()
    try:
        with load(nas, subscribers) as more:
            more(5)
    finally:
        isp.cluster.start()
    until(lambda: metrics.read(known).get("database_up") == 1)


def test_it_ends_with_radiusd_however_that_ends(isp: Installation) -> None:
    server = isp.radius["auth"]
    for end in (server.kill, server.stop):
        pid = process(isp)
        began = start_ticks(pid)
        end()
        until(lambda pid=pid, began=began: start_ticks(pid) != began)
        server.start()

"""Cohort after cohort of a seed against the SQL function, several processes at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context

import psycopg

from billing.settings import Settings
from tests.integration.meter_world import MeterWorld
from tests.simulation.books import install
from tests.simulation.differences import NOT_ONES, Difference, differences
from tests.simulation.history import History, history
from tests.simulation.shrink import lines, shrunk
from tests.simulation.traffic import NIGHTS

LARGEST_COHORT = 60_000
"""Above it are the networks that shrinking takes for its tries."""
_MOST_SHOWN = 5
_worlds = count(1)


@dataclass(frozen=True)
class Outcome:
    """What became of one cohort: its number of records, and a report when something differs."""

    cohort: int
    events: int
    report: str | None


class Simulator:
    """One world in one database, in which history after history is run."""

    def __init__(self, settings: Settings) -> None:
        name = f"simulated {os.getpid()} {next(_worlds)}"
        self.world = MeterWorld(settings, name=name, routers=())
        self._tries = count(LARGEST_COHORT + 1 + os.getpid() % 16 * 300)

    def run(self, seed: int, cohort: int) -> Outcome:
        """One cohort; the operator's zone is that of its night."""
        told = history(seed, cohort)
        found = self.differences(told, cohort)
        report = self._report(told, found, seed, cohort) if found else None
        return Outcome(cohort, told.events, report)

    def differences(self, told: History, network: int | None = None) -> list[Difference]:
        """Run a history in NAS of its own network; None takes one of those for tries."""
        books = install(self.world, told, next(self._tries) if network is None else network)
        for _ in books.run():
            if found := differences(books):
                return found
        return []

    def _report(self, told: History, found: list[Difference], seed: int, cohort: int) -> str:
        shown = [str(one) for one in found[:_MOST_SHOWN]]
        subscriber = found[0].subscriber
        if subscriber != NOT_ONES:
            small = shrunk(told, subscriber, lambda tried: bool(self.differences(tried)))
            if small is not None:
                last = [str(one) for one in self.differences(small)]
                shown += [f"the same with {small.events} records of subscriber {subscriber}:"]
                shown += [*lines(small, subscriber), *last]
        return "\n".join(
            [
                f"seed {seed}, cohort {cohort}: {len(found)} differences",
                *shown,
                f"replay: ./run simulate --seed {seed} --cohort {cohort}",
            ]
        )


def simulate(
    settings: Settings, *, seed: int, events: int, processes: int = 2
) -> Iterator[Outcome]:
    """Run cohorts until this many records were charged.

    Those that run at the same time share the night, since the zone is the operator's.
    """
    with ProcessPoolExecutor(processes, get_context("spawn"), _open, (settings,)) as pool:
        charged = 0
        for turn in count():
            row, night = divmod(turn, len(NIGHTS))
            set_night(settings, night)
            cohorts = [
                (row * processes + place) * len(NIGHTS) + night for place in range(processes)
            ]
            for outcome in pool.map(_run, [seed] * processes, cohorts):
                charged += outcome.events
                yield outcome
            if charged >= events:
                return


def set_night(settings: Settings, cohort: int) -> None:
    """Give the operator the zone of this cohort."""
    zone = NIGHTS[cohort % len(NIGHTS)][0]
    with closing(psycopg.connect(settings.dsn("worker"), autocommit=True)) as db:
        db.execute("UPDATE operator SET time_zone = %s", (zone,))


_simulator: Simulator | None = None


def _open(settings: Settings) -> None:
    global _simulator
    _simulator = Simulator(settings)


def _run(seed: int, cohort: int) -> Outcome:
    assert _simulator is not None
    return _simulator.run(seed, cohort)

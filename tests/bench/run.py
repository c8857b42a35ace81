"""Runs the bench: `python -m tests.bench [--quick] [--floor] [--json FILE]`."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console

from rig.postgres import PrivateCluster

from . import cell, import_load, table, workload
from .cell import Part, Sending, Sessions
from .floor_target import FloorTarget
from .ground import ground, started
from .packets import Kind
from .peer_target import PeerTarget
from .table import Key, Results
from .target import Target
from .tollway_target import TollwayTarget
from .workload import Usage

_INTERIM_STEPS = (1, 2)
_STOP_STEP = len(_INTERIM_STEPS) + 1
_WARM_UP = 500
_OTHERS_TOLERATED = 0.05
_P99_MS = 50


@dataclass(frozen=True)
class Options:
    """How much is measured."""

    users: int
    rounds: int
    threads: int
    in_flight: tuple[int, ...]
    rates: tuple[int, ...]
    open_seconds: int


@dataclass
class Bench:
    """Drives the targets in turn and keeps what was sent."""

    options: Options
    targets: list[Target]
    cluster: PrivateCluster
    postmaster_pid: int
    console: Console
    results: Results = field(default_factory=lambda: defaultdict(list))
    sessions: Sessions = field(default_factory=lambda: Sessions(0, 0))
    sent: dict[int, Usage] = field(default_factory=dict)

    def run(self) -> None:
        """All rounds. The order of the targets turns around in every round (A B, B A)."""
        for target in self.targets:
            warm_up = [Part(0, min(_WARM_UP, self.options.users), 0)]
            result = self._measure(target, "auth", Sending(in_flight=32), warm_up)
            if result.lost or result.wrong:
                raise SystemExit(f"bench: {target.name} does not accept its subscribers")
        sendings = [Sending(in_flight=number) for number in self.options.in_flight]
        for number in range(self.options.rounds):
            order = self.targets[:: 1 if number % 2 == 0 else -1]
            for sending in sendings:
                self._sessions(order, sending, self.options.users)
        for rate in self.options.rates:
            users = min(self.options.users, rate * self.options.open_seconds)
            if users:
                self._sessions(self.targets, Sending(rate_per_second=rate), users)
        self._peer_as_installed()

    def _peer_as_installed(self) -> None:
        """A few logins without the index that the peer was given: each reads every session."""
        sending = Sending(in_flight=self.options.in_flight[0])
        parts = [Part(0, min(_WARM_UP, self.options.users), 0)]
        for target in self.targets:
            if isinstance(target, PeerTarget):
                target.drop_added_index()
                key = Key("auth", sending, f"{target.name}, as installed")
                self.results[key].append(self._measure(target, "auth", sending, parts))

    def _sessions(self, order: list[Target], sending: Sending, users: int) -> None:
        """One session of each of *users*, from login to Stop, phase by phase on every target."""
        self.sessions = Sessions(self.sessions.generation + 1, int(time.time()))
        phases: list[tuple[Kind, list[Part]]] = [
            ("auth", [Part(0, users, 0)]),
            ("start", [Part(0, users, 0)]),
            ("interim", [Part(0, users, step) for step in _INTERIM_STEPS]),
            ("stop", [Part(0, users, _STOP_STEP)]),
        ]
        for kind, parts in phases:
            for target in order:
                self.results[Key(kind, sending, target.name)].append(
                    self._measure(target, kind, sending, parts)
                )
        for user in range(users):
            used = workload.usage_at(user, _STOP_STEP)
            self.sent[user] = self.sent.get(user, workload.NOTHING) + used

    def _measure(
        self, target: Target, kind: Kind, sending: Sending, parts: list[Part]
    ) -> cell.Result:
        self._settle(target)
        result = cell.run(target, kind, sending, self.sessions, parts, self.postmaster_pid)
        self.console.print(
            f"  {kind:8}{sending!s:14}{target.name:8}{result.per_second:8,.0f}/s"
            f"  p50 {result.p50_ms:6.1f} ms  p99 {result.p99_ms:6.1f} ms"
            f"  µs: radiusd {result.radiusd_us:4.0f} PostgreSQL {result.postgres_us:4.0f}"
            f" generator {result.generator_us:3.0f}"
            + (f"  others {result.others_busy:.0%}" if result.others_busy > 0.01 else ""),
            highlight=False,
        )
        return result

    def _settle(self, target: Target) -> None:
        """The same start for everyone: what was written is on disk, statistics are of now.

        All sessions begin and end together here, which no network does: statistics gathered when
        none was open would make the planner read every open session for each record.
        """
        with psycopg.connect(
            self.cluster.dsn(target.database or "postgres"), autocommit=True
        ) as admin:
            admin.execute("ANALYZE")
            admin.execute("CHECKPOINT")

    def inexact(self) -> dict[str, int]:
        """Per target the number of subscribers whose recorded usage is not what was sent."""
        return {
            target.name: sum(
                recorded != self.sent[user]
                for user, recorded in target.recorded_usage(self.sent).items()
            )
            for target in self.targets
            if target.database
        }


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    version = subprocess.run(["freeradius", "-v"], capture_output=True, text=True, check=True)
    return {
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "load_average": os.getloadavg()[0],
        "freeradius": version.stdout.split(",")[0].removeprefix("radiusd: "),
    }


def sync_micros(directory: Path) -> float:
    """Mean time of one durable 8 kB write where the database is, in microseconds."""
    count, block = 200, bytes(8192)
    path = directory / "sync-probe"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        began = time.perf_counter()
        for _ in range(count):
            os.pwrite(descriptor, block, 0)
            os.fdatasync(descriptor)
        return (time.perf_counter() - began) / count * 1_000_000
    finally:
        os.close(descriptor)
        path.unlink()


def bench(options: Options, *, floor: bool, only: list[str], report: Path | None) -> bool:
    """Run everything; False when an answer was wrong or a record is not exact."""
    with ground() as place, ExitStack() as stack:
        cluster, state_dir, console = place.cluster, place.state_dir, place.console
        candidates: list[Target] = [
            TollwayTarget(cluster, state_dir, options.threads),
            PeerTarget(cluster, state_dir, options.threads),
        ]
        if floor:
            candidates.append(FloorTarget(cluster.account, state_dir, options.threads))
        targets = [target for target in candidates if not only or target.name in only]
        facts = machine() | {"sync_us": round(sync_micros(state_dir)), "users": options.users}
        console.print(
            ", ".join(f"{name} {value}" for name, value in facts.items()), highlight=False
        )
        for target in targets:
            stack.enter_context(started(target, options.users))
        runner = Bench(options, targets, cluster, place.postmaster_pid, console)
        runner.run()
        inexact = runner.inexact()
    _report(console, runner, facts, inexact)
    if report is not None:
        table.write_json(report, facts | {"inexact": inexact}, runner.results)
    wrong = sum(
        result.wrong + result.lost for rounds in runner.results.values() for result in rounds
    )
    return not wrong and not any(inexact.values())


def bench_import(options: Options, rows: int) -> bool:
    """Only the import of *rows* subscribers beside logins; False when it slows them too much."""
    with ground() as place:
        target = TollwayTarget(place.cluster, place.state_dir, options.threads)
        with started(target, options.users):
            return import_load.run(target, options.users, rows, place.postmaster_pid, place.console)


def _report(
    console: Console, runner: Bench, facts: dict[str, Any], inexact: dict[str, int]
) -> None:
    title = (
        f"{facts['users']:,} subscribers, {facts['cpus']} CPUs, {facts['freeradius']}, "
        f"durable write {facts['sync_us']} µs, medians of {runner.options.rounds} rounds"
    )
    table.show(console, runner.results, title)
    say_open_loop(console, runner)
    for name, count in inexact.items():
        verdict = f"{count} subscribers differ" if count else "exact for every subscriber"
        console.print(f"usage on record at {name}: {verdict}")
    noise = max(result.others_busy for rounds in runner.results.values() for result in rounds)
    if noise > _OTHERS_TOLERATED:
        console.print(
            f"other processes took up to {noise:.0%} of the CPUs: repeat when it is quiet"
        )


def say_open_loop(console: Console, runner: Bench) -> None:
    """Whether everything is answered soon at the highest constant rate."""
    rate = max(runner.options.rates, default=0)
    p99s = {
        kind: table.medians(rounds).p99_ms
        for (kind, sending, target), rounds in runner.results.items()
        if target == "tollway" and rate and sending.rate_per_second == rate
    }
    if p99s:
        slowest = max(p99s, key=lambda kind: p99s[kind])
        is_soon = p99s[slowest] < _P99_MS
        console.print(
            f"p99 at {rate:,} requests a second {'below' if is_soon else 'NOT below'} {_P99_MS} ms:"
            f" the slowest are {slowest}, {p99s[slowest]:.1f} ms"
        )


def main(arguments: list[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="bench",
        description=__doc__,
        epilog="Other measurements: bench growth, soak, storm, cutoff, bills (each with --help).",
    )
    parser.add_argument("--quick", action="store_true", help="2,000 users, one round")
    parser.add_argument("--floor", action="store_true", help="also hooks that do nothing")
    parser.add_argument("--only", action="append", default=[], metavar="SERVER")
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="0: what each is best with")
    parser.add_argument("--open-seconds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure")
    parser.add_argument(
        "--import",
        dest="import_rows",
        type=int,
        metavar="ROWS",
        help="instead: logins while ROWS subscribers are imported",
    )
    given = parser.parse_args(arguments)
    options = Options(
        users=2_000 if given.quick else given.users,
        rounds=1 if given.quick else given.rounds,
        threads=given.threads,
        in_flight=(64, 256),
        rates=(500,) if given.quick else (500, 1000, 2000),
        open_seconds=given.open_seconds,
    )
    if given.import_rows:
        raise SystemExit(0 if bench_import(options, given.import_rows) else 1)
    exact = bench(options, floor=given.floor, only=given.only, report=given.json)
    raise SystemExit(0 if exact else 1)

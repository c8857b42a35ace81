"""Does it stay as it is? `./run bench soak`

A constant load for half an hour; memory and latency minute by minute. Ends with 1 when either has
grown by more than a twentieth from the first third (after warm-up) to the last, when an answer was
wrong or missing, or when usage is not exact.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

from rich.table import Table

from rig.processes import children_of

from .cell import quantile
from .exchange import Answer, Exchange
from .ground import Ground, ground, running
from .packets import Kind
from .population import Population, drive
from .tollway_target import TollwayTarget
from .worker import worker

ALLOWED_GROWTH = 1.05
# A change of less than this is not told from noise, however large its share.
_LEAST_MS = {"p50": 0.1, "p99": 1.0}
_PARTS = ("radiusd-auth", "radiusd-acct", "worker", "deciders", "PostgreSQL")
_PORTS = 16


@dataclass(frozen=True)
class Options:
    """*sample_seconds* is the minute of the table."""

    users: int
    rate_per_second: int
    seconds: float
    warm_up_seconds: float
    sample_seconds: float
    threads: int = 0


@dataclass(frozen=True)
class Sample:
    """One minute: its requests, latencies of logins and of records, memory of each part."""

    requests: int
    auth_ms: tuple[float, float]
    records_ms: tuple[float, float]
    rss_mib: tuple[float, ...]

    def figures(self) -> dict[str, float]:
        """All that must not grow."""
        latencies = zip(
            ("auth p50", "auth p99", "records p50", "records p99"),
            (*self.auth_ms, *self.records_ms),
            strict=True,
        )
        return dict(latencies) | dict(zip(_PARTS, self.rss_mib, strict=True))


def memory_mib(pid: int, *, shared: bool) -> float:
    """Resident memory of a process; without what it maps together with others."""
    fields = {}
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            fields[name] = value
        return int(fields["VmRSS" if shared else "RssAnon"].split()[0]) / 1024
    except (FileNotFoundError, ProcessLookupError, KeyError):
        return 0.0


@dataclass
class Soak:
    """One run."""

    ground: Ground
    options: Options
    samples: list[Sample] = field(default_factory=list)
    _auth: list[float] = field(default_factory=list)
    _records: list[float] = field(default_factory=list)

    def run(self) -> Soak:
        """Load, and a sample a minute."""
        options = self.options
        target = TollwayTarget(
            self.ground.cluster, self.ground.state_dir, options.threads, name="soak"
        )
        target.seed(options.users)
        with running(target), worker(target) as process:
            auth, acct = target.pids()[:2]
            self._pids = (auth, acct, process.pid)
            ports = (target.auth_port, target.acct_port)
            with closing(Exchange(*ports, ports_each=_PORTS)) as exchange:
                self._load(exchange)
                self.forged, self.resends = exchange.forged, exchange.resends
            self.inexact = _inexact(target, self.population)
        return self

    def _load(self, exchange: Exchange) -> None:
        options = self.options
        self.population = Population(exchange, options.users, self._heard)
        self.population.prepare()
        self._next_at = time.monotonic() + options.sample_seconds
        calls = [(float(options.rate_per_second), self.population.call)]
        drive(exchange, calls, options.seconds, self._sample_when_due)

    def _heard(self, kind: Kind, answer: Answer) -> None:
        (self._auth if kind == "auth" else self._records).append(answer.latency_seconds * 1000)

    def _sample_when_due(self) -> None:
        if time.monotonic() < self._next_at:
            return
        self._next_at += self.options.sample_seconds
        auth, records = sorted(self._auth), sorted(self._records)
        self._auth.clear()
        self._records.clear()
        backends = (self.ground.postmaster_pid, *children_of(self.ground.postmaster_pid))
        sample = Sample(
            requests=len(auth) + len(records),
            auth_ms=(quantile(auth, 0.5), quantile(auth, 0.99)),
            records_ms=(quantile(records, 0.5), quantile(records, 0.99)),
            rss_mib=(
                *(memory_mib(pid, shared=True) for pid in self._pids),
                # Processes that decide logins.
                sum(memory_mib(pid, shared=True) for pid in children_of(self._pids[0])),
                # A backend's share of the buffers rises as it touches them: that is not its own.
                sum(memory_mib(pid, shared=False) for pid in backends),
            ),
        )
        self.samples.append(sample)
        self.ground.say(f"  {len(self.samples):4}  {_line(sample)}")

    def faults(self) -> int:
        """Answers that were wrong or did not come, and subscribers whose usage is not exact."""
        return self.population.wrong + self.population.given_up + self.forged + self.inexact

    def growth(self) -> dict[str, tuple[float, float]]:
        """Each figure in the first and in the last third after warm-up: the mean of memory, the
        median of latencies."""
        skipped = round(self.options.warm_up_seconds / self.options.sample_seconds)
        judged = [sample.figures() for sample in self.samples[skipped:]]
        third = max(1, len(judged) // 3)
        if not judged:
            return {}
        return {
            name: (
                _middle(name, [figures[name] for figures in judged[:third]]),
                _middle(name, [figures[name] for figures in judged[-third:]]),
            )
            for name in judged[0]
        }


def _middle(name: str, values: Sequence[float]) -> float:
    return mean(values) if name in _PARTS else median(values)


def has_grown(name: str, before: float, after: float) -> bool:
    """Whether a figure of that name has grown by more than is allowed."""
    least = _LEAST_MS.get(name.rpartition(" ")[2], 0.0)
    return after > before * ALLOWED_GROWTH and after - before > least


def _inexact(target: TollwayTarget, population: Population) -> int:
    expected = population.expected()
    recorded = target.recorded_usage(expected)
    return sum(recorded[user] != usage for user, usage in expected.items())


def _line(sample: Sample) -> str:
    memory = "  ".join(
        f"{name} {mib:.0f}" for name, mib in zip(_PARTS, sample.rss_mib, strict=True)
    )
    return (
        f"{sample.requests:7} requests  auth {sample.auth_ms[0]:.2f}/{sample.auth_ms[1]:.1f} ms  "
        f"records {sample.records_ms[0]:.2f}/{sample.records_ms[1]:.1f} ms  MiB: {memory}"
    )


def report(soak: Soak, place: Ground) -> bool:
    """Print; False when something has grown, is missing, or is wrong."""
    table = Table(title="from the first third after warm-up to the last", title_justify="left")
    for heading in ("", "first third", "last third", "change", ""):
        table.add_column(heading, justify="right")
    grown = []
    for name, (before, after) in soak.growth().items():
        mark = "GROWN" if has_grown(name, before, after) else ""
        if mark:
            grown.append(name)
        change = f"{after / before - 1:+.1%}" if before else ""
        unit = "MiB" if name in _PARTS else "ms"
        table.add_row(f"{name}, {unit}", f"{before:.2f}", f"{after:.2f}", change, mark)
    place.console.print(table)
    population = soak.population
    place.say(
        f"resends {soak.resends}, given up {population.given_up},"
        f" wrong {population.wrong + soak.forged}, held back {population.held_back}"
    )
    verdict = f"{soak.inexact} subscribers differ" if soak.inexact else "exact for every subscriber"
    place.say(f"usage on record: {verdict}")
    place.say(f"grown: {', '.join(grown)}" if grown else "nothing has grown")
    return not (grown or soak.faults())


def main(arguments: list[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--warm-up-minutes", type=float, default=5.0)
    parser.add_argument("--rate", type=int, default=1_000, help="requests a second")
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--quick", action="store_true", help="15 seconds, 200/s: does it work")
    given = parser.parse_args(arguments)
    options = Options(given.users, given.rate, given.minutes * 60, given.warm_up_minutes * 60, 60.0)
    if given.quick:
        options = Options(300, 200, 15.0, 3.0, 1.0)
    if options.seconds <= options.warm_up_seconds:
        parser.error("--minutes must be more than --warm-up-minutes")
    with ground() as place:
        place.say("p50/p99 and resident memory by minute (PostgreSQL: all backends, their own)")
        raise SystemExit(0 if report(Soak(place, options).run(), place) else 1)

"""One measurement: one kind of request, one way of sending, one server."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from . import measure
from .packets import Kind
from .target import Target

_CHECKOUT = Path(__file__).resolve().parents[2]
_MICRO = 1_000_000


class Part(NamedTuple):
    """One request for each of *count* subscribers at *step*: number *first* and every *stride*-th
    from there."""

    first: int
    count: int
    step: int
    stride: int = 1

    def users(self) -> range:
        """Their numbers."""
        return range(self.first, self.first + self.count * self.stride, self.stride)


@dataclass(frozen=True)
class Sending:
    """A closed loop (`in_flight` requests under way) or an open one (`rate_per_second`)."""

    in_flight: int = 0
    rate_per_second: int = 0

    def __str__(self) -> str:
        return f"{self.in_flight} in flight" if self.in_flight else f"{self.rate_per_second}/s"


@dataclass(frozen=True)
class Result:
    """Figures of one cell; CPU is per request."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    resends: int
    lost: int
    wrong: int
    radiusd_us: float
    postgres_us: float
    generator_us: float
    others_busy: float
    rss_mib: float


def quantile(ascending: list[float], share: float) -> float:
    """The value below which *share* of the list lies; 0 for an empty list."""
    return ascending[min(int(len(ascending) * share), len(ascending) - 1)] if ascending else 0.0


class Sessions(NamedTuple):
    """One session of each subscriber: its number and when it began (Unix seconds)."""

    generation: int
    began_at: int


def run(
    target: Target,
    kind: Kind,
    sending: Sending,
    sessions: Sessions,
    parts: list[Part],
    postmaster_pid: int,
) -> Result:
    """Let a generator process send *parts* and measure meanwhile."""
    plan = {
        "host": "127.0.0.1",
        "port": target.auth_port if kind == "auth" else target.acct_port,
        "kind": kind,
        **sessions._asdict(),
        "parts": [part._asdict() for part in parts],
        "in_flight": sending.in_flight,
        "rate_per_second": sending.rate_per_second,
    }
    generator = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_CHECKOUT,
    )
    with generator:
        stdin, stdout = generator.stdin, generator.stdout
        assert stdin and stdout
        print(json.dumps(plan), file=stdin, flush=True)
        _expect(stdout.readline(), "ready")
        before, busy_before = measure.cpu(target.pids(), postmaster_pid), measure.machine()
        print("go", file=stdin, flush=True)
        _expect(stdout.readline(), "done")
        used = measure.cpu(target.pids(), postmaster_pid) - before
        machine = measure.machine() - busy_before
        report: dict[str, Any] = json.loads(stdout.readline())
    return _result(report, used, machine, measure.rss_octets(target.pids()))


def _expect(line: str, word: str) -> None:
    if line.strip() != word:
        raise RuntimeError(f"the load generator said {line!r} instead of {word!r}")


def _result(
    report: dict[str, Any], used: measure.Cpu, machine: measure.Machine, rss: int
) -> Result:
    count = report["requests"]
    latencies = report["latency_ms"]
    own = used.radiusd_seconds + used.postgres_seconds + report["generator_cpu_seconds"]
    return Result(
        requests=count,
        per_second=report["per_second"],
        p50_ms=quantile(latencies, 0.5),
        p99_ms=quantile(latencies, 0.99),
        resends=report["resends"],
        lost=report["lost"],
        wrong=report["wrong_code"] + report["forged"] + report["unexpected"],
        radiusd_us=used.radiusd_seconds / count * _MICRO,
        postgres_us=used.postgres_seconds / count * _MICRO,
        generator_us=report["generator_cpu_seconds"] / count * _MICRO,
        others_busy=max(0.0, machine.busy_seconds - own) / machine.total_seconds,
        rss_mib=rss / 2**20,
    )

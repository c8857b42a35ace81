"""CPU time and memory of processes, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rig.processes import children_of

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cpu:
    """CPU seconds used so far by the RADIUS server and by PostgreSQL."""

    radiusd_seconds: float
    postgres_seconds: float

    def __sub__(self, earlier: Cpu) -> Cpu:
        return Cpu(
            self.radiusd_seconds - earlier.radiusd_seconds,
            self.postgres_seconds - earlier.postgres_seconds,
        )


def _ticks(pid: int, *, reaped: bool) -> int:
    """User and system ticks of *pid*; with *reaped* also those of its ended children."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    fields = text.rpartition(")")[2].split()
    return sum(int(word) for word in fields[11 : 15 if reaped else 13])


def cpu(radiusd_pids: Iterable[int], postmaster_pid: int) -> Cpu:
    """What both have used until now; resolution is one clock tick (10 ms)."""
    radiusd = sum(_ticks(pid, reaped=True) for pid in radiusd_pids)
    postgres = _ticks(postmaster_pid, reaped=True) + sum(
        _ticks(pid, reaped=False) for pid in children_of(postmaster_pid)
    )
    return Cpu(radiusd / _TICKS_PER_SECOND, postgres / _TICKS_PER_SECOND)


def rss_octets(pids: Iterable[int]) -> int:
    """Resident set of *pids* together."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


@dataclass(frozen=True)
class Machine:
    """CPU seconds of all processors since boot; busy includes what the host took away."""

    busy_seconds: float
    total_seconds: float

    def __sub__(self, earlier: Machine) -> Machine:
        return Machine(
            self.busy_seconds - earlier.busy_seconds, self.total_seconds - earlier.total_seconds
        )


def machine() -> Machine:
    """From the first line of /proc/stat: user nice system idle iowait irq softirq steal."""
    words = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
    ticks = [int(word) for word in words]
    idle = ticks[3] + ticks[4]
    return Machine((sum(ticks) - idle) / _TICKS_PER_SECOND, sum(ticks) / _TICKS_PER_SECOND)

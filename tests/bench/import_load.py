"""Logins while 100,000 subscribers are imported: at most a fifth slower at the median."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from rich.console import Console

from . import cell, tollway_seed, workload
from .cell import Part, Result, Sending, Sessions
from .tollway_target import TollwayTarget

_CHECKOUT = Path(__file__).resolve().parents[2]
_LOGINS = Sending(rate_per_second=200)
_SLICE_SECONDS = 3
_QUIET_SLICES = 4
ALLOWED_SLOWDOWN = 1.2


def write_csv(path: Path, rows: int) -> None:
    """Subscribers that are not there yet, each with something left."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(("username", "password", "profile", "plan", "time_left", "data_left"))
        for number in range(rows):
            password = workload.password(number)
            plan = workload.PLAN_NAME
            name = f"moved{number:07d}"
            out.writerow((name, password, tollway_seed.PROFILE_NAME, plan, "10h", "5GB"))


def run(
    target: TollwayTarget, users: int, rows: int, postmaster_pid: int, console: Console
) -> bool:
    """Measure quiet, during the import, quiet again; True when the import was done and gentle."""
    source = target.state_dir / "subscribers.csv"
    write_csv(source, rows)
    quiet = [_logins(target, users, postmaster_pid) for _ in range(_QUIET_SLICES)]
    console.print(f"importing {rows:,} subscribers during {_LOGINS!s} logins")
    began = time.monotonic()
    importer = subprocess.Popen(
        [sys.executable, "-m", "billing.cli", "import", "subscribers", str(source)],
        cwd=_CHECKOUT,
        env=os.environ | target.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    during: list[Result] = []
    try:
        while importer.poll() is None:
            result = _logins(target, users, postmaster_pid)
            # The slice in which the import ended is only partly "during".
            if importer.poll() is None or not during:
                during.append(result)
    finally:
        importer.terminate()
    seconds = time.monotonic() - began
    said = importer.communicate()[0].strip()
    console.print(f"{said} (exit code {importer.returncode}, at most {seconds:.0f} s)")
    quiet += [_logins(target, users, postmaster_pid) for _ in range(_QUIET_SLICES)]
    ratio = _report(console, quiet, during)
    answered = all(not (result.lost or result.wrong) for result in quiet + during)
    return importer.returncode == 0 and answered and ratio <= ALLOWED_SLOWDOWN


def _report(console: Console, quiet: list[Result], during: list[Result]) -> float:
    for label, results in (("without import", quiet), ("during import", during)):
        console.print(
            f"login, {label}: p50 {median(result.p50_ms for result in results):.2f} ms, "
            f"p99 {median(result.p99_ms for result in results):.1f} ms "
            f"(medians of {len(results)} times {_SLICE_SECONDS} s)"
        )
    ratio = median(result.p50_ms for result in during) / median(result.p50_ms for result in quiet)
    console.print(f"ratio of the p50: {ratio:.2f} (allowed {ALLOWED_SLOWDOWN})")
    return ratio


def _logins(target: TollwayTarget, users: int, postmaster_pid: int) -> Result:
    count = min(users, _LOGINS.rate_per_second * _SLICE_SECONDS)
    sessions = Sessions(0, int(time.time()))
    return cell.run(target, "auth", _LOGINS, sessions, [Part(0, count, 0)], postmaster_pid)

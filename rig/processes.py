"""Start a process detached, find it again by its pid file, stop it by its pid."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.account import Account, service_account

_POLL_SECONDS = 0.05

# Children of this very process must be reaped, or a stopped one would stay as a zombie.
_children: dict[int, subprocess.Popen[bytes]] = {}


class StartError(RuntimeError):
    """A process did not become ready; the text ends with the last lines of its log."""


@dataclass(frozen=True)
class Process:
    """A running (or former) process, told from a later one with the same pid by its start."""

    name: str
    pid: int
    start_ticks: int
    pid_file: Path
    log_file: Path

    def alive(self) -> bool:
        """Whether it still runs (a zombie does not)."""
        running = start_ticks(self.pid) == self.start_ticks
        if not running and (child := _children.get(self.pid)) and child.poll() is not None:
            del _children[self.pid]
        return running

    def send(self, number: signal.Signals) -> None:
        """Send one signal; nothing happens when the process is gone."""
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for its end; False when it still runs after *timeout_seconds*."""
        deadline = time.monotonic() + timeout_seconds
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        self.pid_file.unlink(missing_ok=True)
        return True

    def stop(self, timeout_seconds: float = 15.0, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end with signal *number*, kill it when it has not after the timeout."""
        self.send(number)
        if not self.wait(timeout_seconds):
            self.kill()

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self.send(signal.SIGKILL)
        self.wait(5.0)


def reap() -> None:
    """Take note of the children that somebody else has ended, `./run down` for one."""
    for child in _children.values():
        child.poll()


def start_ticks(pid: int) -> int | None:
    """Start time of *pid* in clock ticks since boot; None when it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return int(fields[19])


def children_of(pid: int) -> list[int]:
    """Pids of the direct children of *pid*."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(text.rpartition(")")[2].split()[1]) == pid:
            found.append(int(entry.name))
    return found


def start(
    name: str,
    argv: Sequence[str],
    *,
    run_dir: Path,
    log_dir: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    account: Account | None = None,
) -> Process:
    """Start *argv* in a session of its own as *account*, output appended to LOG_DIR/NAME.log.

    The pid and the start time are remembered in RUN_DIR/NAME.pid for `find`.
    """
    account = account or service_account()
    log_file = log_dir / f"{name}.log"
    with os.fdopen(account.open_log(log_file), "ab") as log:
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=clean_environment(account) | dict(env or {}),
            cwd=cwd or run_dir,
            umask=0o027,
            user=account.uid if account.switch else None,
            group=account.gid if account.switch else None,
            extra_groups=() if account.switch else None,
        )
    _children[child.pid] = child
    ticks = start_ticks(child.pid) or 0
    pid_file = run_dir / f"{name}.pid"
    account.write_text(pid_file, f"{child.pid} {ticks}\n", 0o644)
    return Process(name, child.pid, ticks, pid_file, log_file)


def run_as(
    argv: Sequence[str],
    *,
    account: Account | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path = Path("/"),
) -> subprocess.CompletedProcess[str]:
    """Run a short command as *account* and wait; output captured, exit code not checked."""
    account = account or service_account()
    return subprocess.run(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment(account) | dict(env or {}),
        cwd=cwd,
        check=False,
        user=account.uid if account.switch else None,
        group=account.gid if account.switch else None,
        extra_groups=() if account.switch else None,
    )


def find(name: str, *, run_dir: Path, log_dir: Path) -> Process | None:
    """The process NAME that `start` began earlier, if it still runs."""
    pid_file = run_dir / f"{name}.pid"
    try:
        pid, ticks = (int(word) for word in pid_file.read_text(encoding="utf-8").split())
    except (FileNotFoundError, ValueError):
        return None
    process = Process(name, pid, ticks, pid_file, log_dir / f"{name}.log")
    return process if process.alive() else None


def clean_environment(account: Account) -> dict[str, str]:
    """What every service gets: UTC, a plain locale, no variable of the caller's session."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "LANG": "C.UTF-8", "TZ": "UTC", "USER": account.name, "HOME": "/"}


def last_lines(log_file: Path, count: int = 20) -> str:
    """The end of a log, for error messages."""
    try:
        text = log_file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(text.splitlines()[-count:])


def failed(process: Process, what: str) -> StartError:
    """The error to raise when *process* is not ready: *what*, and the end of its log."""
    return StartError(f"{what}\n--- end of {process.log_file}\n{last_lines(process.log_file)}")

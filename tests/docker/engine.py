"""A Docker engine: the machine's own, or one that is installed, started and ended here."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START_SECONDS = 60.0
# What an engine changes of the firewall: tables and the chains they have of themselves.
_CHAINS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}


class Trouble(RuntimeError):
    """Something is not as it should be; the text says what."""


class NoEngine(Trouble):
    """No engine runs here, and none can be started; one line says what is missing."""


@contextmanager
def engine(scratch: Path) -> Iterator[dict[str, str]]:
    """The environment that `docker` and compose need. An engine that was started here keeps
    everything below `scratch`, at a socket of its own, and is ended afterwards."""
    environment = dict(os.environ)
    if _answers(environment):
        yield environment
        return
    if os.geteuid() != 0:
        raise NoEngine("no Docker engine answers; start it, or run as root to have one started")
    daemon = shutil.which("dockerd")
    if daemon is None:
        raise Trouble("dockerd is not installed (Debian: docker.io)")
    environment["DOCKER_HOST"] = f"unix://{scratch}/docker.sock"
    rules = _firewall()
    log = scratch / "dockerd.log"
    argv = [
        *(daemon, "--host", environment["DOCKER_HOST"], "--pidfile", str(scratch / "dockerd.pid")),
        *("--data-root", str(scratch / "data"), "--exec-root", str(scratch / "exec")),
    ]
    with log.open("wb") as stream:
        process = subprocess.Popen(argv, stdout=stream, stderr=stream)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(environment):
            if process.poll() is not None or time.monotonic() > deadline:
                raise NoEngine(f"the Docker engine does not start: {_last_words(log)}")
            time.sleep(0.2)
        yield environment
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _leave_no_trace(scratch, rules)


def _firewall() -> str:
    """The machine's rules, as `iptables-restore` takes them; of tables that are not there yet, the
    empty ones."""
    done = subprocess.run(["iptables-save"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoEngine(f"iptables does not work here: {' '.join(done.stderr.split())}")
    saved = done.stdout
    missing = [table for table in _CHAINS if f"*{table}\n" not in saved]
    empty = (
        "\n".join((f"*{table}", *(f":{chain} ACCEPT" for chain in _CHAINS[table]), "COMMIT\n"))
        for table in missing
    )
    return saved + "".join(empty)


def _last_words(log: Path) -> str:
    """The last line in which the engine says what keeps it from starting."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if "failed to start daemon" in line or "level=fatal" in line]
    return (telling or lines or ["it says nothing"])[-1]


def _leave_no_trace(scratch: Path, rules: str) -> None:
    """An engine that ends leaves its bridge, its firewall rules and a mount behind."""
    subprocess.run(["ip", "link", "delete", "docker0"], capture_output=True, check=False)
    subprocess.run(["iptables-restore"], input=rules, text=True, check=True)
    mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    below = [line.split()[1] for line in mounts if line.split()[1].startswith(f"{scratch}/")]
    for mount in sorted(below, reverse=True):
        subprocess.run(["umount", mount], check=False)


def _answers(environment: dict[str, str]) -> bool:
    try:
        done = subprocess.run(
            ["docker", "info", "--format", "{{.ServerVersion}}"],
            env=environment, capture_output=True, check=False, timeout=30,
        )  # fmt: skip
    except FileNotFoundError:
        return False
    return done.returncode == 0

"""What is wrong is said in one line: a missing key, a key that does not belong to the database, a
wrong password, a database that is not there or away, a port in use."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path

from tests.docker.composition import Composition
from tests.docker.engine import Trouble

_SERVICE_UID = 10001
_AWAY_SECONDS = 60.0


def refused(rig: Composition, scratch: Path, say: Callable[[str], None]) -> None:
    """Raises Trouble when a service starts all the same, or does not say why not."""
    nowhere = {"TOLLWAY_STATE_DIR": "/tmp"}  # noqa: S108 (in a container, without a key)
    for service, words in (
        ("web", "cannot be read"),
        ("worker", "cannot be read"),
        ("radius", "cannot be read"),
        ("migrate", "cannot be read"),
        ("setup", "is missing: restore it"),
    ):
        _expect(rig, say, "a missing key", service, words, nowhere)
    other = _other_key(scratch)
    _expect(
        rig, say, "another database's key", "web", "the database refuses us",
        {"TOLLWAY_STATE_DIR": "/other"}, f"{other}:/other:ro",
    )  # fmt: skip
    for what, words, place in (
        ("a wrong password", "authentication failed", "tollway_admin:wrong@db"),
        ("no database", "nowhere.invalid", "tollway_admin@nowhere.invalid"),
    ):
        url = {"TOLLWAY_DATABASE_URL": f"postgresql://{place}/postgres"}
        _expect(rig, say, what, "migrate", words, url)
    _database_away(rig, say)
    _port_in_use(rig, say)


def _other_key(scratch: Path) -> Path:
    """A state directory with a master key that made no role of this database."""
    folder = scratch / "other"
    keys = folder / "keys"
    keys.mkdir(parents=True)
    scratch.chmod(0o711)
    key = keys / "master.key"
    key.write_text(secrets.token_hex(32) + "\n", encoding="ascii")
    key.chmod(0o400)
    for path in (folder, keys, key):
        os.chown(path, _SERVICE_UID, _SERVICE_UID)
    return folder


def _expect(
    rig: Composition,
    say: Callable[[str], None],
    what: str,
    service: str,
    words: str,
    environment: dict[str, str],
    *volumes: str,
) -> None:
    """It ends with 1 by itself, having said one line of its own with these words."""
    options = ["--rm", "--no-deps", "-T"]
    for name, value in environment.items():
        options += ["-e", f"{name}={value}"]
    for volume in volumes:
        options += ["-v", volume]
    done = rig.compose("run", *options, service, timeout_seconds=120)
    told = (done.stdout + done.stderr).splitlines()
    lines = [line for line in told if f"tollway {service}:" in line]
    traces = [line for line in told if "Traceback" in line]
    if done.returncode != 1 or len(lines) != 1 or traces or words not in lines[0]:
        raise Trouble(f"{what}: exit {done.returncode}, said:\n{done.stdout}{done.stderr}")
    say(f"{what}: {lines[0]}")


def _database_away(rig: Composition, say: Callable[[str], None]) -> None:
    """A service that starts without the database waits, saying so again and again, and serves
    once the database is there."""
    rig.must("stop", "db")
    container = rig.container("web")
    rig.docker("restart", container)
    began = rig.docker("inspect", "--format", "{{.State.StartedAt}}", container)
    deadline = time.monotonic() + _AWAY_SECONDS
    while len(lines := _waiting(rig, container, began)) < 2:
        if time.monotonic() > deadline:
            raise Trouble(f"without the database, web said:\n{chr(10).join(lines)}")
        time.sleep(1.0)
    state = rig.docker("inspect", "--format", "{{.State.Running}} {{.RestartCount}}", container)
    if state != "true 0":
        raise Trouble(f"without the database, web does not wait: {state}")
    say(f"a database that is away: {lines[-1]}")
    rig.must("up", "-d", "--no-build")
    rig.wait_healthy("db", "web")
    say("web serves once the database is there")


def _waiting(rig: Composition, container: str, began: str) -> list[str]:
    told = rig.told(container, since=began)
    return [line for line in told if "waiting for the database" in line]


def _port_in_use(rig: Composition, say: Callable[[str], None]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        rig.must("stop", "web")
        environment = rig.environment
        rig.environment = environment | {"PANEL_PORT": str(port)}
        done = rig.compose("up", "-d", "--no-build", "web", timeout_seconds=120)
        rig.environment = environment
    told = [line for line in done.stderr.splitlines() if str(port) in line and "in use" in line]
    if done.returncode == 0 or not told:
        raise Trouble(f"a port in use: exit {done.returncode}, said:\n{done.stderr}")
    say(f"a port in use: {told[-1].strip()}")
    rig.must("up", "-d", "--no-build")
    rig.wait_healthy("web")

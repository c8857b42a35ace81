"""What is wrong is said in one line: a missing key, a wrong password, a port in use."""

from __future__ import annotations

import socket
from collections.abc import Callable

from tests.docker.composition import Composition
from tests.docker.engine import Trouble


def refused(rig: Composition, say: Callable[[str], None]) -> None:
    """Raises Trouble when a service starts all the same, or does not say why not."""
    _expect(rig, say, "a missing key", "web", "cannot be read", TOLLWAY_STATE_DIR="/tmp")  # noqa: S108
    for what, words, place in (
        ("a wrong password", "authentication failed", "tollway_admin:wrong@db"),
        ("no database", "nowhere.invalid", "tollway_admin@nowhere.invalid"),
    ):
        url = f"postgresql://{place}/postgres"
        _expect(rig, say, what, "migrate", words, TOLLWAY_DATABASE_URL=url)
    _port_in_use(rig, say)


def _expect(
    rig: Composition,
    say: Callable[[str], None],
    what: str,
    service: str,
    words: str,
    **environment: str,
) -> None:
    options = ["--rm", "--no-deps", "-T"]
    for name, value in environment.items():
        options += ["-e", f"{name}={value}"]
    done = rig.compose("run", *options, service, timeout_seconds=120)
    told = (done.stdout + done.stderr).splitlines()
    lines = [line for line in told if f"tollway {service}:" in line]
    if done.returncode != 1 or len(lines) != 1 or words not in lines[0]:
        raise Trouble(f"{what}: exit {done.returncode}, said:\n{done.stdout}{done.stderr}")
    say(f"{what}: {lines[0]}")


def _port_in_use(rig: Composition, say: Callable[[str], None]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        rig.must("stop", "web")
        environment = rig.environment
        rig.environment = environment | {"PANEL_PORT": str(port)}
        done = rig.compose("up", "-d", "--no-build", "web")
        rig.environment = environment
    told = [line for line in done.stderr.splitlines() if str(port) in line]
    if done.returncode == 0 or not told:
        raise Trouble(f"a port in use: exit {done.returncode}, said:\n{done.stderr}")
    say(f"a port in use: {told[-1].strip()}")
    rig.must("up", "-d", "--no-build")
    rig.wait_healthy("web")

"""The services of docker-compose.yml as a project of its own, on free ports."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from rig.ports import free_tcp_port, free_udp_port
from tests.docker.engine import Trouble
from tests.docker.images import BASE, CHECKOUT, POSTGRES, VERSION

PROJECT = "tollway-docker-test"
_HEALTHY_SECONDS = 240.0

Done = subprocess.CompletedProcess[str]


@dataclass
class Composition:
    """`command` is Compose; `environment` names the engine and what docker-compose.yml takes from
    outside."""

    command: list[str]
    environment: dict[str, str]
    auth_port: int
    acct_port: int
    panel_port: int

    def compose(self, *argv: str, timeout_seconds: float = 900.0) -> Done:
        """One command of compose; its output, whatever the exit code."""
        return subprocess.run(
            [*self.command, "--project-name", PROJECT, *argv],
            env=self.environment, cwd=CHECKOUT, capture_output=True, text=True, check=False,
            timeout=timeout_seconds,
        )  # fmt: skip

    def must(self, *argv: str, timeout_seconds: float = 900.0) -> str:
        """One command that has to succeed; its standard output. Raises Trouble."""
        done = self.compose(*argv, timeout_seconds=timeout_seconds)
        if done.returncode != 0:
            told = (done.stdout + done.stderr)[-4000:]
            if argv[0] == "up":
                told += self.compose("logs", "--tail", "15").stdout
            raise Trouble(f"compose {' '.join(argv)} ended with {done.returncode}:\n{told}")
        return done.stdout

    def piped(self, content: bytes, *argv: str) -> bytes:
        """One command that is given `content` and has to succeed; its output. Raises Trouble."""
        done = subprocess.run(
            [*self.command, "--project-name", PROJECT, *argv],
            env=self.environment, cwd=CHECKOUT, input=content, capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            told = done.stderr.decode(errors="replace").strip()
            raise Trouble(f"compose {' '.join(argv)} ended with {done.returncode}:\n{told}")
        return done.stdout

    def tollway(self, *argv: str) -> Any:
        """The command line, in the worker's container; what `--json` printed."""
        return json.loads(self.must("exec", "-T", "worker", "tollway", *argv, "--json"))

    def container(self, service: str) -> str:
        """The container of a service. Raises Trouble where it has none."""
        found = self.must("ps", "-a", "-q", service).split()
        if not found:
            raise Trouble(f"the service {service} has no container")
        return found[0]

    def docker(self, *argv: str) -> str:
        """One command of the engine. Raises Trouble."""
        done = subprocess.run(
            ["docker", *argv], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise Trouble(f"docker {' '.join(argv)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def told(self, container: str, *, since: str) -> list[str]:
        """The lines that a container wrote since that instant, to either of its outputs."""
        done = subprocess.run(
            ["docker", "logs", "--since", since, container], env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True,
        )  # fmt: skip
        return done.stdout.splitlines()

    def wait_healthy(self, *services: str) -> None:
        """Until each of them says so. Raises Trouble with its log."""
        deadline = time.monotonic() + _HEALTHY_SECONDS
        for service in services:
            while (state := self._health(service)) != "healthy":
                if time.monotonic() > deadline:
                    log = self.compose("logs", "--tail", "20", service).stdout
                    raise Trouble(f"{service} is {state}:\n{log}")
                time.sleep(1.0)

    def kill(self, service: str) -> None:
        """SIGKILL, as a crash would."""
        self.docker("kill", "--signal", "KILL", self.container(service))

    def gateway(self) -> str:
        """The address by which what comes from this machine is seen in the containers."""
        networks = json.loads(self.docker("inspect", self.container("radius")))[0]
        (network,) = networks["NetworkSettings"]["Networks"].values()
        return str(network["Gateway"])

    def _health(self, service: str) -> str:
        inspected = json.loads(self.docker("inspect", self.container(service)))
        return str(inspected[0]["State"].get("Health", {}).get("Status", "without health"))


def composition(command: list[str], environment: dict[str, str]) -> Composition:
    """On free ports of loopback, from the images that were built here."""
    auth_port, acct_port, panel_port = free_udp_port(), free_udp_port(), free_tcp_port()
    given = {
        "BASE_IMAGE": BASE,
        "POSTGRES_IMAGE": POSTGRES,
        "TOLLWAY_VERSION": VERSION,
        "RADIUS_AUTH_PORT": str(auth_port),
        "RADIUS_ACCT_PORT": str(acct_port),
        "PANEL_PORT": str(panel_port),
        "TOLLWAY_OPERATOR_NAME": "Container ISP",
        "TOLLWAY_TIME_ZONE": "Europe/Madrid",
        "TOLLWAY_CURRENCY": "EUR",
    }
    return Composition(command, environment | given, auth_port, acct_port, panel_port)

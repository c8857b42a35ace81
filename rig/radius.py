"""Render freeradius-config/ into a raddb and run one FreeRADIUS server from it."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rig import certificates, processes
from rig.account import Account, service_account
from rig.certificates import EapOptions
from rig.ports import free_udp_port
from rig.processes import Process, StartError
from rig.status import serves

Kind = Literal["auth", "acct"]
EXECUTABLE = "/usr/sbin/freeradius"
MINIMUM_VERSION = (3, 2, 7)
_TEMPLATES = Path(__file__).resolve().parent.parent / "freeradius-config"

# Larger batches make a record cheaper, and an idle thread costs only memory; logins gain nothing
# from more threads than are in flight.
_THREADS: dict[Kind, int] = {"auth": 64, "acct": 96}
# So that a hundred requests one after the other make whole rounds.
_INSTANCES = (10, 20, 25, 50, 100)
# Where the hooks keep what must outlive them (docs/operations.md).
_KEPT_DIRS = ("journal", "snapshot", "metrics")

# Module and functions that each kind of server calls; both also have `client`.
_HOOKS: dict[Kind, tuple[str, tuple[str, ...]]] = {
    "auth": ("radius_plugin.authorize", ("authorize", "post_auth")),
    "acct": ("radius_plugin.accounting", ("accounting",)),
}


@dataclass(frozen=True)
class RadiusOptions:
    """What may differ between installations; both servers of one usually share it.

    threads: requests handled at the same time, and so the largest batch of one commit; 0 means
        what measured best for the kind (docs/performance.md).
    instances: of the Python module, taken in turn: at least so many, rounded up to 10, 20, 25, 50
        or 100, which is the most; 0 means as many as threads. Every thread keeps an interpreter
        state an instance: more of them cost memory and time.
    nas_networks: networks from which a NAS is looked up; packets from elsewhere are dropped.
    client_lifetime_seconds: how long a looked-up NAS is kept before it is asked for again.
    eap: the certificate that devices see in PEAP and EAP-TTLS.
    python_paths: searched for the hooks before the system's; default is this interpreter's.
    """

    threads: int = 0
    instances: int = 0
    bind_address: str = "127.0.0.1"
    nas_networks: Sequence[str] = ("127.0.0.0/8",)
    client_lifetime_seconds: int = 60
    reject_delay_seconds: float = 1.0
    eap: EapOptions = field(default_factory=EapOptions)
    python_paths: Sequence[Path] = field(
        default_factory=lambda: (Path(sysconfig.get_path("purelib")),)
    )

    def thread_count(self, kind: Kind) -> int:
        """Number of threads of a server."""
        return self.threads or _THREADS[kind]

    def instance_count(self, kind: Kind) -> int:
        """Number of Python module instances of a server."""
        wanted = self.instances or self.thread_count(kind)
        return next((count for count in _INSTANCES if count >= wanted), _INSTANCES[-1])


class RadiusServer:
    """FreeRADIUS of one kind under *state_dir*: raddb-KIND/, log/radiusd-KIND.log, run/.

    *port* 0 takes a free one. *environment* is what the hooks read (TOLLWAY_…).
    Raises StartError with the end of the log when the server does not come up.
    """

    def __init__(
        self,
        kind: Kind,
        state_dir: Path,
        *,
        port: int = 0,
        options: RadiusOptions | None = None,
        environment: Mapping[str, str] | None = None,
        account: Account | None = None,
    ) -> None:
        self.kind: Kind = kind
        self.name = f"radiusd-{kind}"
        self.state_dir = state_dir
        self.raddb = state_dir / f"raddb-{kind}"
        self.run_dir = state_dir / "run"
        self.log_dir = state_dir / "log"
        self.options = options or RadiusOptions()
        self.port = port or free_udp_port(self.options.bind_address)
        self.environment = dict(environment or {})
        self.account = account or service_account()

    def start(self, timeout_seconds: float = 30.0) -> Process:
        """Render the raddb, start, wait for the answer to Status-Server; idempotent."""
        running = self.process()
        if running is not None:
            return running
        check_version()
        self.render()
        for name in _KEPT_DIRS:
            self.account.make_dir(self.state_dir / name)
        process = processes.start(
            self.name,
            [EXECUTABLE, "-f", "-d", str(self.raddb), "-n", self.kind],
            run_dir=self.run_dir,
            log_dir=self.log_dir,
            env=self.environment,
            account=self.account,
        )
        deadline = time.monotonic() + timeout_seconds
        while not self.ready():
            if not process.alive():
                raise processes.failed(process, f"{self.name} ended at once")
            if time.monotonic() > deadline:
                raise processes.failed(process, f"{self.name} does not answer")
        return process

    def stop(self) -> None:
        """Let it finish what it holds, then end."""
        process = self.process()
        if process is not None:
            process.stop()

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        process = self.process()
        if process is not None:
            process.kill()

    def process(self) -> Process | None:
        """The running server, if there is one."""
        return processes.find(self.name, run_dir=self.run_dir, log_dir=self.log_dir)

    def ready(self, timeout_seconds: float = 0.2) -> bool:
        """Whether it answers Status-Server on loopback."""
        return serves(self.raddb, timeout_seconds)

    def render(self) -> None:
        """Write the raddb anew from freeradius-config/ and the options."""
        for path in (self.run_dir, self.log_dir):
            self.account.make_dir(path)
        shutil.rmtree(self.raddb, ignore_errors=True)
        shutil.copytree(_TEMPLATES, self.raddb)
        written = {
            "settings.conf": self._settings(),
            "clients.conf": self._clients(),
            "instances.conf": self._instances(),
            "policy.d/instances": self._spread(),
        }
        for name, text in written.items():
            (self.raddb / name).write_text(text, encoding="utf-8")
        for path in (self.raddb, *self.raddb.rglob("*")):
            self.account.share(path)

    def _settings(self) -> str:
        options = self.options
        values = {
            "state_dir": self.state_dir,
            "bind_address": options.bind_address,
            f"{self.kind}_port": self.port,
            "status_port": free_udp_port(),
            "status_secret": secrets.token_hex(16),
            "threads": options.thread_count(self.kind),
            "reject_delay_seconds": options.reject_delay_seconds,
            "python_path": ":".join(str(path) for path in options.python_paths),
        }
        if self.kind == "auth":
            files = certificates.ensure(self.state_dir, options.eap, self.account)
            values |= {"eap_certificate": files.certificate, "eap_key": files.key}
            values["eap_sessions"] = options.eap.sessions
        return "".join(f'{name} = "{value}"\n' for name, value in values.items())

    def _clients(self) -> str:
        blocks = []
        for number, network in enumerate(self.options.nas_networks):
            parsed = ipaddress.ip_network(network)
            blocks.append(
                f"client nas-network-{number} {{\n"
                f"\tipv{parsed.version}addr = {parsed}\n"
                f"\tdynamic_clients = tollway-clients\n"
                f"\tlifetime = {self.options.client_lifetime_seconds}\n}}\n"
            )
        return "".join(blocks)

    def _instances(self) -> str:
        module, functions = _HOOKS[self.kind]
        hooks = {name: name for name in functions}
        count = self.options.instance_count(self.kind)
        bodies = {f"tollway_hook_{number}": hooks for number in range(count)}
        bodies["tollway_client"] = {"authorize": "client"}
        return "".join(_instance(name, module, sections) for name, sections in bodies.items())

    def _spread(self) -> str:
        """Instances in turn, by the last two digits of the request's number. Picked at random, as
        `load-balance` does, requests meet at the same one and wait for each other unless there are
        many; and to take two digits costs FreeRADIUS less than to reckon with the number.
        """
        count = self.options.instance_count(self.kind)
        rows = [
            _switch("n%{2}", [f"tollway_hook_{(first + last) % count}\n" for last in range(10)])
            for first in range(0, 100, 10)
        ]
        return (
            "tollway_hooks {\n"
            f'if ("%n" =~ /(.)(.)$/) {{\n{_switch("n%{1}", rows)}}}\n'
            "else {\ntollway_hook_0\n}\n"
            "}\n"
        )


def _switch(text: str, bodies: Sequence[str]) -> str:
    """An unlang switch over a digit, with a letter before it: as numbers they would cost more."""
    cases = "".join(f'case "n{digit}" {{\n{body}}}\n' for digit, body in enumerate(bodies))
    return f'switch "{text}" {{\n{cases}}}\n'


def _instance(name: str, module: str, sections: Mapping[str, str]) -> str:
    """One instance of the Python module: which function serves which section."""
    calls = {"instantiate": "instantiate", **sections, "detach": "detach"}
    lines = "".join(
        f"\tmod_{section} = {module}\n\tfunc_{section} = {function}\n"
        for section, function in calls.items()
    )
    body = f"\tmodule = {module}\n{lines}\t$INCLUDE mods-available/tollway_hook\n"
    return f"python3 {name} {{\n{body}}}\n"


def installed_version() -> tuple[int, ...]:
    """Version of the installed FreeRADIUS; raises StartError when there is none."""
    if not os.access(EXECUTABLE, os.X_OK):
        raise StartError("FreeRADIUS is not installed (packages freeradius, freeradius-python3)")
    done = subprocess.run([EXECUTABLE, "-v"], capture_output=True, text=True, check=False)
    found = re.search(r"Version (\d+)\.(\d+)\.(\d+)", done.stdout)
    if found is None:
        raise StartError(f"FreeRADIUS does not tell its version: {done.stdout.strip()}")
    return tuple(int(part) for part in found.groups())


def check_version() -> None:
    """Refuse FreeRADIUS before 3.2.7 (radius.md F1): StartError tells what to do."""
    version = installed_version()
    if version < MINIMUM_VERSION:
        raise StartError(
            f"FreeRADIUS {'.'.join(map(str, version))} is too old: before 3.2.7 it aborts with "
            "several Python instances and lacks the mitigation of CVE-2024-3596. On Debian 12 "
            "take it from bookworm-backports (./run up does so), on others from a release with "
            "3.2.7 or newer."
        )

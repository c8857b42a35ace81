"""Everything one installation runs: database, two FreeRADIUS servers, worker, panel."""

from __future__ import annotations

import hashlib
import http.client
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rig import certificates, configuration, processes
from rig.account import service_account
from rig.ports import port_is_free
from rig.postgres import PrivateCluster
from rig.processes import Process, StartError
from rig.radius import Kind, RadiusServer

_BIN = Path(sys.executable).parent
# A worker that cannot run ends while it loads; after this time it has loaded.
_WORKER_SETTLE_SECONDS = 2.0
PARTS = ("postgres", "radiusd-auth", "radiusd-acct", "worker", "panel")


@dataclass(frozen=True)
class Part:
    """One process of the installation as `status` sees it; pid None when it does not run."""

    name: str
    pid: int | None
    log_file: Path


class Stack:
    """One installation under *state_dir*; *say* is called with each step's text."""

    def __init__(self, state_dir: Path, say: Callable[[str], None] = print) -> None:
        self.state_dir = state_dir
        self.run_dir = state_dir / "run"
        self.log_dir = state_dir / "log"
        self.account = service_account()
        self.cluster = PrivateCluster(state_dir, account=self.account)
        self.settings = configuration.load(state_dir)
        self._say = say

    def up(self, environ: Mapping[str, str]) -> None:
        """Start what does not run and wait until it serves; idempotent.

        After a change of the installed product, of the settings or of the certificate everything
        but the database is started anew. Raises StartError; what this call started is then stopped
        again.
        """
        for path in (self.run_dir, self.log_dir):
            self.account.make_dir(path)
        configuration.ensure_master_key(self.state_dir, self.account)
        self.settings = configuration.choose(self.state_dir, environ, self.account)
        options = configuration.radius_options(self.settings)
        certificate = certificates.ensure(self.state_dir, options.eap, self.account).certificate
        fingerprint = self._fingerprint(certificate.read_bytes())
        mark = self.run_dir / "fingerprint"
        known = mark.read_text(encoding="utf-8") if mark.exists() else ""
        if known != fingerprint:
            self._stop(PARTS[1:])
        before = {part.name for part in self.parts() if part.pid is not None}
        try:
            self._start_all()
        except BaseException:
            self._stop([name for name in PARTS if name not in before])
            raise
        self.account.write_text(mark, fingerprint)

    def down(self) -> None:
        """Stop everything, the database last."""
        self._stop(PARTS)

    def parts(self) -> list[Part]:
        """The processes of the installation and whether they run."""
        names = [name for name in PARTS if name != "postgres" or self._private()]
        found = []
        for name in names:
            process = self._find(name)
            pid = process.pid if process else None
            found.append(Part(name, pid, self.log_dir / f"{name}.log"))
        return found

    def panel_url(self) -> str:
        """Address of the panel, as its users write it."""
        public = self.settings.get(configuration.PANEL_URL)
        return public or f"http://{self._panel_address()}:{self.settings[configuration.HTTP_PORT]}/"

    def radius_server(self, kind: Kind) -> RadiusServer:
        """One of the two FreeRADIUS servers, with the installation's settings."""
        return RadiusServer(
            kind,
            self.state_dir,
            port=int(self.settings[f"TOLLWAY_{kind.upper()}_PORT"]),
            options=configuration.radius_options(self.settings),
            environment=self.settings,
            account=self.account,
        )

    def _start_all(self) -> None:
        if self._private():
            self._step("PostgreSQL", self.cluster.start)
        self._step("database schema", self._migrate)
        self._step("FreeRADIUS, authentication", lambda: self._start_radius("auth"))
        self._step("FreeRADIUS, accounting", lambda: self._start_radius("acct"))
        since = time.monotonic()
        worker = self._find("worker")
        settle_seconds = 0.0 if worker else _WORKER_SETTLE_SECONDS
        worker = worker or self._start("worker", [str(_BIN / "tollway"), "worker"])
        self._step("panel", self._start_panel)
        while worker.alive() and time.monotonic() - since < settle_seconds:
            time.sleep(0.05)
        if not worker.alive():
            raise processes.failed(worker, "the worker ended at once")
        self._say("   worker: ready")

    def _step(self, what: str, action: Callable[[], object]) -> None:
        since = time.monotonic()
        action()
        self._say(f"   {what}: ready ({time.monotonic() - since:.1f} s)")

    def _migrate(self) -> None:
        argv = [str(_BIN / "tollway"), "migrate"]
        done = processes.run_as(argv, account=self.account, env=self.settings)
        if done.returncode != 0:
            raise StartError(f"`tollway migrate` failed:\n{done.stdout}")

    def _start_radius(self, kind: Kind) -> None:
        if self._find(f"radiusd-{kind}") is None:
            self._check_port(f"TOLLWAY_{kind.upper()}_PORT", udp=True)
        self.radius_server(kind).start()

    def _start_panel(self) -> None:
        process = self._find("panel")
        if process is None:
            self._check_port(configuration.HTTP_PORT, udp=False)
            bind = f"{self._panel_address()}:{self.settings[configuration.HTTP_PORT]}"
            argv = [
                *(str(_BIN / "gunicorn"), "--bind", bind, "--workers", "2", "--threads", "8"),
                *("--worker-tmp-dir", str(self.run_dir), "--no-control-socket", "web:create_app()"),
            ]
            process = self._start("panel", argv)
        deadline = time.monotonic() + 30
        while not self._panel_ready():
            if not process.alive() or time.monotonic() > deadline:
                raise processes.failed(process, f"the panel does not serve {self.panel_url()}")
            time.sleep(0.1)

    def _panel_ready(self) -> bool:
        port = int(self.settings[configuration.HTTP_PORT])
        connection = http.client.HTTPConnection(self._panel_address(), port, timeout=5)
        # As the proxy in front would: the panel answers to its public name only.
        public = urlsplit(self.settings.get(configuration.PANEL_URL, ""))
        name = {"Host": public.netloc, "X-Forwarded-Proto": public.scheme} if public.netloc else {}
        try:
            connection.request("GET", "/healthz", headers=name)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _panel_address(self) -> str:
        return self.settings.get(configuration.HTTP_ADDRESS, "127.0.0.1")

    def _check_port(self, name: str, *, udp: bool) -> None:
        port = int(self.settings[name])
        if not port_is_free(port, udp=udp):
            raise StartError(
                f"port {port} is used by another program; choose one: {name}=PORT ./run up"
            )

    def _start(self, name: str, argv: list[str]) -> Process:
        return processes.start(
            name,
            argv,
            run_dir=self.run_dir,
            log_dir=self.log_dir,
            env=self.settings,
            account=self.account,
        )

    def _find(self, name: str) -> Process | None:
        return processes.find(name, run_dir=self.run_dir, log_dir=self.log_dir)

    def _stop(self, names: list[str] | tuple[str, ...]) -> None:
        for name in reversed(names):
            process = self._find(name)
            if process is None:
                continue
            if name == "postgres":
                self.cluster.stop()
            else:
                process.stop()
            self._say(f"   {name}: stopped")

    def _private(self) -> bool:
        return not self.settings or configuration.uses_private_cluster(
            self.settings, self.state_dir
        )

    def _fingerprint(self, certificate: bytes) -> str:
        stamp = self.state_dir / "stamps" / "product"
        product = stamp.read_text(encoding="utf-8") if stamp.exists() else ""
        settings = f"{product}{sorted(self.settings.items())}"
        return hashlib.sha256(settings.encode() + certificate).hexdigest()

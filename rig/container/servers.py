"""The long-running services: FreeRADIUS twice, worker and panel, each in the foreground."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

import psycopg

from billing.settings import Settings
from rig import configuration
from rig.processes import StartError
from rig.radius import EXECUTABLE, Kind, RadiusServer, check_version

_BIN = Path(sys.executable).parent
_KINDS: tuple[Kind, ...] = ("auth", "acct")
_STOP_SECONDS = 10.0
_WAIT_SECONDS = 5.0


def migrate(settings: Settings) -> int:
    """Bring roles and schema up to date, then end; others wait for it (docker-compose.yml)."""
    _need_key(settings)
    with psycopg.connect(settings.admin_dsn(), connect_timeout=10):
        pass  # A database that is not there is one line, not a traceback of the migration's.
    return _become([str(_BIN / "tollway"), "migrate"])


def worker(settings: Settings) -> int:
    """Jobs, mail, CoA and Disconnect."""
    _need_database(settings)
    for folder in (settings.journal_dir, settings.metrics_file("worker").parent):
        folder.mkdir(parents=True, exist_ok=True)
    return _become([str(_BIN / "tollway"), "worker"])


def web(settings: Settings) -> int:
    """The panel, for all addresses of the container: what is published decides who reaches it."""
    _need_database(settings)
    return _become(
        [
            *(str(_BIN / "gunicorn"), "--bind", f"0.0.0.0:{settings.http_port}"),
            *("--workers", "2", "--threads", "8", "--worker-tmp-dir", "/dev/shm"),  # noqa: S108
            *("--no-control-socket", "--access-logfile", "-", "web:create_app()"),
        ]
    )


def radius(settings: Settings) -> int:
    """Both FreeRADIUS servers. When one ends, the other is ended, too: the engine starts them
    anew together."""
    _need_database(settings)
    check_version()
    servers = [_server(settings, kind) for kind in _KINDS]
    for name in ("journal", "snapshot", "metrics"):
        (settings.state_dir / name).mkdir(exist_ok=True)
    children: list[subprocess.Popen[bytes]] = []

    def stop(_number: int, _frame: FrameType | None) -> None:
        for child in children:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for server in servers:
        server.render()
        argv = [EXECUTABLE, "-f", "-l", "stdout", "-d", str(server.raddb), "-n", server.kind]
        children.append(subprocess.Popen(argv, env=os.environ | server.environment))
    pid, status = os.wait()
    ended = next(
        server.kind for server, child in zip(servers, children, strict=True) if child.pid == pid
    )
    return _end(children, ended, os.waitstatus_to_exitcode(status))


def _server(settings: Settings, kind: Kind) -> RadiusServer:
    environment = {name: value for name, value in os.environ.items() if name.startswith("TOLLWAY_")}
    port = settings.auth_port if kind == "auth" else settings.acct_port
    options = configuration.radius_options(environment)
    return RadiusServer(
        kind, settings.state_dir, port=port, options=options, environment=environment
    )


def _end(children: list[subprocess.Popen[bytes]], ended: str, code: int) -> int:
    asked = code in (0, -signal.SIGTERM)
    if not asked:
        print(f"tollway radius: the server `{ended}` ended with {code}", file=sys.stderr)
    for child in children:
        if child.returncode is None:
            child.terminate()
    for child in children:
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
    return 0 if asked else 1


def _need_key(settings: Settings) -> None:
    settings.master_key()


def _need_database(settings: Settings) -> None:
    """Wait for the database, saying so; raises StartError when it refuses us or has no schema."""
    _need_key(settings)
    while True:
        try:
            with psycopg.connect(settings.dsn("worker"), connect_timeout=10) as connection:
                known = connection.execute("SELECT to_regclass('schema_version')").fetchone()
            break
        except psycopg.OperationalError as error:
            text = " ".join(str(error).split())
            if "authentication failed" in text or "does not exist" in text:
                raise StartError(
                    f"the database refuses us ({text}); run the service `migrate`, and check that "
                    "the volumes `keys` and `database` belong together"
                ) from error
            print(f"waiting for the database: {text}", file=sys.stderr, flush=True)
            time.sleep(_WAIT_SECONDS)
    if known is None or known[0] is None:
        raise StartError("the database has no schema yet: run the service `migrate` first")


def _become(argv: list[str]) -> int:
    sys.stdout.flush()
    os.execv(argv[0], argv)  # noqa: S606 (no shell wanted)

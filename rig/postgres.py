"""A private PostgreSQL cluster on a Unix socket, run by the service account."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg

from rig import processes
from rig.account import Account, service_account
from rig.processes import Process, StartError

MINIMUM_MAJOR = 15
# sockaddr_un holds 108 bytes with the final zero; the name is "<dir>/.s.PGSQL.5432".
_SOCKET_PATH_LIMIT = 107
_SOCKET_NAME = ".s.PGSQL.5432"

# Durable (security.md 14), and made for a small machine that also runs everything else.
_SETTINGS: dict[str, str] = {
    "listen_addresses": "''",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_preload_libraries": "'pg_stat_statements'",
    "pg_stat_statements.track": "all",
    "max_connections": "100",
    "max_locks_per_transaction": "256",
    "wal_compression": "lz4",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_line_prefix": "'%m [%p] %u@%d '",
    "log_lock_waits": "on",
    # The values of bound parameters may be secrets: never in the log.
    "log_parameter_max_length_on_error": "0",
}


_CGROUP_MEMORY = Path("/sys/fs/cgroup/memory.max")


def memory_octets() -> int:
    """Memory of this machine, or what a container may use of it."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(machine, int(_CGROUP_MEMORY.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return machine


def shared_buffers(machine_octets: int) -> str:
    """An eighth of the memory, from 128 MB to 2 GB: what a million subscribers are looked up by
    fits (docs/performance.md), and FreeRADIUS and the panel have the rest. Taken as it is used."""
    return f"{min(max(machine_octets // 8 // 2**20, 128), 2048)}MB"


def binaries() -> Path:
    """Directory of the newest installed PostgreSQL; LookupError when there is none from 15 on."""
    found = [
        (int(path.parent.name), path)
        for path in Path("/usr/lib/postgresql").glob("*/bin")
        if path.parent.name.isdigit() and (path / "initdb").exists()
    ]
    if not found or max(found)[0] < MINIMUM_MAJOR:
        raise LookupError(f"PostgreSQL {MINIMUM_MAJOR} or newer is not installed")
    return max(found)[1]


class PrivateCluster:
    """One cluster under *state_dir*: data in pg/, socket and pid file in run/, log in log/.

    Superuser `postgres`; whoever can enter run/ (mode 0700: the service account and root) is
    trusted. *settings* are added to, or replace, the defaults of postgresql.conf.
    Raises StartError with the end of the log when a step fails.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        settings: Mapping[str, str] | None = None,
        account: Account | None = None,
    ) -> None:
        self.state_dir = state_dir
        self.data_dir = state_dir / "pg"
        self.run_dir = state_dir / "run"
        self.log_dir = state_dir / "log"
        self.account = account or service_account()
        self.settings = (
            _SETTINGS | {"shared_buffers": shared_buffers(memory_octets())} | dict(settings or {})
        )
        socket_path = str(self.run_dir / _SOCKET_NAME)
        if len(socket_path.encode()) > _SOCKET_PATH_LIMIT:
            raise ValueError(f"state directory too long for a Unix socket: {socket_path}")

    def init(self) -> None:
        """Create the cluster when there is none; write the settings. Idempotent."""
        for path in (self.data_dir, self.run_dir, self.log_dir):
            self.account.make_dir(path)
        if not (self.data_dir / "PG_VERSION").exists():
            self._initdb()
        lines = [f"{name} = {value}" for name, value in self.settings.items()]
        lines.append(f"dynamic_shared_memory_type = {_shared_memory_type()}")
        lines.append(f"unix_socket_directories = '{self.run_dir}'")
        text = "# Written by the rig at every start.\n" + "\n".join(lines) + "\n"
        self.account.write_text(self.data_dir / "tollway.conf", text)

    def start(self, timeout_seconds: float = 60.0) -> Process:
        """Start (after `init`) and wait until it answers; a running one is returned as it is."""
        running = self.process()
        if running is not None:
            return running
        self.init()
        argv = [str(binaries() / "postgres"), "-D", str(self.data_dir)]
        process = processes.start(
            "postgres",
            argv,
            run_dir=self.run_dir,
            log_dir=self.log_dir,
            account=self.account,
        )
        deadline = time.monotonic() + timeout_seconds
        while not self.ready():
            if not process.alive():
                raise processes.failed(process, "PostgreSQL ended at once")
            if time.monotonic() > deadline:
                raise processes.failed(process, "PostgreSQL does not answer")
            time.sleep(0.05)
        return process

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, everything is written."""
        process = self.process()
        if process is not None:
            process.stop(timeout_seconds=60.0, number=signal.SIGINT)

    def kill(self) -> None:
        """End every process of the cluster with SIGKILL, as a power cut would."""
        process = self.process()
        if process is None:
            return
        process.send(signal.SIGSTOP)  # or it would start new ones meanwhile
        backends = [
            Process("backend", pid, ticks, self.run_dir / f"{pid}.backend", process.log_file)
            for pid in processes.children_of(process.pid)
            if (ticks := processes.start_ticks(pid)) is not None
        ]
        process.kill()
        for backend in backends:
            backend.kill()

    def process(self) -> Process | None:
        """The running postmaster, if there is one."""
        return processes.find("postgres", run_dir=self.run_dir, log_dir=self.log_dir)

    def ready(self) -> bool:
        """Whether it accepts connections."""
        try:
            psycopg.connect(self.dsn(), connect_timeout=3).close()
        except psycopg.OperationalError:
            return False
        return True

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """libpq URL of *database* for *user* over the Unix socket."""
        return f"postgresql://{quote(user)}@/{quote(database)}?host={quote(str(self.run_dir), '')}"

    def _initdb(self) -> None:
        argv = [
            str(binaries() / "initdb"),
            *("--pgdata", str(self.data_dir), "--username", "postgres", "--auth", "trust"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8", "--data-checksums"),
        ]
        done = processes.run_as(argv, account=self.account)
        if done.returncode != 0:
            raise StartError(f"initdb failed:\n{done.stdout}")
        # Unix socket only: a `host` line would let other local users in if TCP were switched on.
        self.account.write_text(self.data_dir / "pg_hba.conf", "local all all trust\n")
        self.account.write_text(self.data_dir / "postgresql.conf", "include 'tollway.conf'\n")


def _shared_memory_type() -> str:
    """System V where /dev/shm is not open to everybody, as in a bare chroot."""
    shm = Path("/dev/shm")  # noqa: S108 - not for files of ours
    return "posix" if shm.is_dir() and shm.stat().st_mode & 0o1777 == 0o1777 else "sysv"

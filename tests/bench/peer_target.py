"""The peer: stock rlm_sql and rlm_sqlcounter, configured in `peer/`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import psycopg

from rig import processes
from rig.account import Account
from rig.ports import free_udp_port
from rig.postgres import PrivateCluster
from rig.processes import Process

from . import workload
from .waiting import wait_for_line
from .workload import Usage

_CONFIGURATION = Path(__file__).parent / "peer"
# `./run` copies it where a normal user may read it.
_STOCK = Path(os.environ.get("TOLLWAY_STOCK_RADDB", "/etc/freeradius/3.0"))
_STOCK_PARTS = ("mods-config/sql", "policy.d/accounting")
_READY = "Ready to process requests"
_THREADS = 64  # and so many connections; more of them made it slower


class PeerTarget:
    """One radiusd, as many threads as database connections."""

    name = "peer"
    database = "peer"

    def __init__(self, cluster: PrivateCluster, state_dir: Path, threads: int) -> None:
        self._cluster = cluster
        self._account: Account = cluster.account
        self._state_dir = state_dir / "peer"
        self._threads = threads or _THREADS
        self._process: Process | None = None
        self.auth_port = free_udp_port()
        self.acct_port = free_udp_port()

    def seed(self, users: int) -> None:
        """Stock schema, one plan as a group, *users* members with their limits."""
        self._copy_configuration()
        with psycopg.connect(self._cluster.dsn(), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {self.database}")
        schema = self._state_dir / "stock/mods-config/sql/main/postgresql/schema.sql"
        with psycopg.connect(self._cluster.dsn(self.database), autocommit=True) as db:
            db.execute(schema.read_bytes())
            db.execute((_CONFIGURATION / "indexes.sql").read_bytes())
            self._fill(db, users)
            db.execute("VACUUM ANALYZE")

    def _fill(self, db: psycopg.Connection[tuple[object, ...]], users: int) -> None:
        plan = workload.PLAN_NAME
        with db.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO radgroupreply (groupname, attribute, op, value)"
                " VALUES (%s, %s, ':=', %s)",
                [
                    (plan, "Mikrotik-Rate-Limit", workload.RATE_LIMIT),
                    (plan, "Framed-Pool", workload.POOL_NAME),
                    (plan, "Acct-Interim-Interval", "300"),
                ],
            )
            cursor.executemany(
                "INSERT INTO radgroupcheck (groupname, attribute, op, value)"
                " VALUES (%s, %s, ':=', %s)",
                [
                    (plan, "Max-Daily-Session", str(workload.ALLOWANCE_SECONDS)),
                    (plan, "Max-Daily-Octets", str(workload.ALLOWANCE_OCTETS)),
                ],
            )
            with cursor.copy("COPY radcheck (username, attribute, op, value) FROM STDIN") as copy:
                for user in range(users):
                    name, secret = workload.user_name(user), workload.password(user)
                    copy.write_row((name, "Cleartext-Password", ":=", secret))
            with cursor.copy(
                "COPY radusergroup (username, groupname, priority) FROM STDIN"
            ) as copy:
                for user in range(users):
                    copy.write_row((workload.user_name(user), plan, 0))

    def _copy_configuration(self) -> None:
        """Put our files and the package's where the service account can read them."""
        stock = self._state_dir / "stock"
        shutil.copytree(_CONFIGURATION, self._state_dir)
        for part in _STOCK_PARTS:
            source, to = _STOCK / part, stock / part
            to.parent.mkdir(parents=True, exist_ok=True)
            try:
                if source.is_dir():
                    shutil.copytree(source, to)
                else:
                    shutil.copy(source, to)
            except PermissionError as error:
                raise SystemExit(f"bench: cannot read {source}: run it as root") from error
        for path in (self._state_dir, *self._state_dir.rglob("*")):
            self._account.share(path)
        for name in ("run", "log"):
            self._account.make_dir(self._state_dir / name)

    def drop_added_index(self) -> None:
        """Take away what `indexes.sql` gave it beyond the package's schema."""
        with psycopg.connect(self._cluster.dsn(self.database), autocommit=True) as db:
            db.execute("DROP INDEX radacct_username_idx")

    def start(self) -> None:
        """Start radiusd and wait for the line that says it is ready."""
        environment = {
            "PEER_STATE": str(self._state_dir),
            "PEER_STOCK": str(self._state_dir / "stock"),
            "PEER_THREADS": str(self._threads),
            "PEER_SECRET": workload.SECRET.decode(),
            "PEER_AUTH_PORT": str(self.auth_port),
            "PEER_ACCT_PORT": str(self.acct_port),
            "PEER_DSN": f"host={self._cluster.run_dir} dbname={self.database} user=postgres",
        }
        argv = ["freeradius", "-f", "-l", "stdout", "-d", str(self._state_dir), "-n", "radiusd"]
        self._process = processes.start(
            "radiusd-peer",
            argv,
            run_dir=self._state_dir / "run",
            log_dir=self._state_dir / "log",
            env=environment,
            account=self._account,
        )
        wait_for_line(self._process, _READY)

    def stop(self) -> None:
        """End radiusd."""
        if self._process is not None:
            self._process.stop()

    def pids(self) -> list[int]:
        """The one radiusd."""
        return [self._process.pid] if self._process else []

    def recorded_usage(self, users: Iterable[int]) -> dict[int, Usage | None]:
        """Sums of radacct per subscriber."""
        with psycopg.connect(self._cluster.dsn(self.database)) as db:
            rows = db.execute(
                "SELECT username, sum(acctsessiontime)::bigint, sum(acctinputoctets)::bigint,"
                " sum(acctoutputoctets)::bigint FROM radacct GROUP BY username"
            ).fetchall()
        found = {row[0]: Usage(row[1], row[2], row[3]) for row in rows}
        return {user: found.get(workload.user_name(user), workload.NOTHING) for user in users}

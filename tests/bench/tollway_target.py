"""Tollway: this checkout, two radiusd, a database of its own in the shared cluster."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

import psycopg

from billing.clock import utc_now
from billing.model.views import OperatorView
from billing.services.context import Context
from billing.services.secrets import SecretBox
from billing.settings import ROLES, Settings
from billing.store import migrate
from billing.store.catalog import insert_operator
from billing.store.pool import Database
from rig.configuration import ensure_master_key
from rig.postgres import PrivateCluster
from rig.processes import children_of
from rig.radius import Kind, RadiusOptions, RadiusServer

from . import tollway_seed, workload
from .tollway_seed import Router
from .workload import Usage

_CHECKOUT = Path(__file__).resolve().parents[2]
_PRODUCT = ("billing", "radius_plugin", "sql")
_KINDS: tuple[Kind, ...] = ("auth", "acct")
# The books that must agree: the slices by day, the sessions, and what was taken from the package.
_USAGE = """
SELECT s.username, d.seconds, d.input, d.output,
    d.seconds = v.seconds AND d.input = v.input AND d.output = v.output
        AND d.seconds = e.seconds AND d.input + d.output = e.octets
FROM subscription s
JOIN (SELECT customer_id, sum(seconds)::bigint AS seconds, sum(input_octets)::bigint AS input,
             sum(output_octets)::bigint AS output
      FROM daily_usage WHERE kind = 'entitlement' GROUP BY customer_id) d USING (customer_id)
JOIN (SELECT customer_id, sum(session_seconds)::bigint AS seconds,
             sum(input_octets)::bigint AS input, sum(output_octets)::bigint AS output
      FROM live_session GROUP BY customer_id) v USING (customer_id)
JOIN (SELECT customer_id, sum(seconds_total - seconds_left)::bigint AS seconds,
             sum(octets_total - octets_left)::bigint AS octets
      FROM entitlement GROUP BY customer_id) e USING (customer_id)
"""


class TollwayTarget:
    """Subscribers on a daily plan with a package of seconds and octets, metered at every record."""

    def __init__(
        self,
        cluster: PrivateCluster,
        state_dir: Path,
        threads: int,
        *,
        name: str = "tollway",
        nas: Sequence[Router] = (Router(),),
    ) -> None:
        self._cluster = cluster
        self._nas = nas
        self.account = account = cluster.account
        self.name = self.database = name
        self.state_dir = account.make_dir(state_dir / name, 0o755)
        ensure_master_key(self.state_dir, account)
        self.settings = Settings(
            state_dir=self.state_dir, database_url=cluster.dsn(), database_name=self.database
        )
        self.product = self._copy_product()
        options = RadiusOptions(
            threads=threads, python_paths=(self.product, Path(sysconfig.get_path("purelib")))
        )
        self._servers = [
            RadiusServer(
                kind,
                self.state_dir,
                options=options,
                environment=self.environment(),
                account=account,
            )
            for kind in _KINDS
        ]
        self.auth_port, self.acct_port = (server.port for server in self._servers)

    def environment(self) -> dict[str, str]:
        """What Tollway's processes read."""
        return {
            "TOLLWAY_STATE_DIR": str(self.state_dir),
            "TOLLWAY_DATABASE_URL": self._cluster.dsn(),
            "TOLLWAY_DATABASE_NAME": self.database,
        }

    def _copy_product(self) -> Path:
        """The checkout may be where radiusd cannot enter."""
        target = self.state_dir / "product"
        for name in _PRODUCT:
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(_CHECKOUT / name, target / name, ignore=ignore)
        for path in (target, *target.rglob("*")):
            self._cluster.account.share(path)
        return target

    def seed(self, users: int) -> None:
        """Roles, schema, operator, plan, NAS and *users* subscribers."""
        now = utc_now()
        passwords = {role: self.settings.role_password(role) for role in ROLES}
        migrate.bootstrap(self.settings.admin_dsn(), self.database, passwords)
        migrate.migrate(self.settings.dsn("owner"), now)
        database = Database(self.settings.dsn("owner"))
        try:
            with database.transaction() as tx:
                operator = OperatorView(name="Bench", time_zone="UTC", currency="USD")
                insert_operator(tx, operator, now)
            box = SecretBox(self.settings.secrets_key())
            context = Context(db=database, box=box, actor="bench")
            tollway_seed.seed(context, users, now, self._nas)
        finally:
            database.close()
        with psycopg.connect(self._cluster.dsn(self.database), autocommit=True) as db:
            db.execute("VACUUM ANALYZE")

    def start(self) -> None:
        """Start both servers."""
        for server in self._servers:
            server.start()

    def stop(self) -> None:
        """End both servers."""
        for server in self._servers:
            server.stop()

    def pids(self) -> list[int]:
        """Both servers, and the processes that decide logins beside the first."""
        running = (server.process() for server in self._servers)
        pids = [process.pid for process in running if process is not None]
        return pids + [child for pid in pids for child in children_of(pid)]

    def recorded_usage(self, users: Iterable[int]) -> dict[int, Usage | None]:
        """Sums of daily_usage; None where sessions or packages say something else."""
        with psycopg.connect(self._cluster.dsn(self.database)) as db:
            rows = db.execute(_USAGE).fetchall()
        found = {name: Usage(*counters) if agree else None for name, *counters, agree in rows}
        return {user: found.get(workload.user_name(user), workload.NOTHING) for user in users}

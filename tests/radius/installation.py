"""A whole installation of its own, for tests that break its parts."""

from __future__ import annotations

import compileall
import shutil
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from billing.clock import utc_now
from billing.model.views import OperatorView
from billing.services.context import Context
from billing.services.secrets import SecretBox
from billing.settings import ROLES, Settings
from billing.store import migrate
from billing.store.catalog import insert_operator
from billing.store.pool import Database
from rig.account import Account, service_account, temporary_state_dir
from rig.configuration import ensure_master_key
from rig.postgres import PrivateCluster
from rig.radius import Kind, RadiusOptions, RadiusServer
from tests.factories import Factory

CHECKOUT = Path(__file__).resolve().parents[2]
PRODUCT = ("billing", "radius_plugin", "sql")
# Instances enough that a held-up request does not keep others from their thread's instance.
OPTIONS = {"threads": 16, "instances": 50, "reject_delay_seconds": 0, "client_lifetime_seconds": 1}


@dataclass
class Installation:
    """Its parts, all running; whatever a test stops, it starts again itself."""

    cluster: PrivateCluster
    settings: Settings
    context: Context
    make: Factory
    radius: dict[Kind, RadiusServer]

    def log(self, name: str) -> str:
        """What a part has written so far."""
        path = self.settings.state_dir / "log" / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace")

    @property
    def ports(self) -> dict[str, int]:
        return {"auth_port": self.radius["auth"].port, "acct_port": self.radius["acct"].port}


@contextmanager
def installation(
    product: Path,
    *,
    prepare: Callable[[Path], None] | None = None,
    environment: Mapping[str, str] | None = None,
    faults: Path | None = None,
    **cluster_settings: str,
) -> Iterator[Installation]:
    """Everything under a new state directory, which `prepare` may look after first.

    `environment` is what the hooks read beside the usual; `faults` holds a package
    `radius_plugin` that is found before the product's.
    """
    with temporary_state_dir("twi-") as state_dir:
        ensure_master_key(state_dir, service_account())
        if prepare is not None:
            prepare(state_dir)
        cluster = PrivateCluster(state_dir, settings={"shared_buffers": "32MB", **cluster_settings})
        cluster.start()
        try:
            settings = Settings(state_dir=state_dir, database_url=cluster.dsn())
            database = migrated(settings)
            servers = _servers(settings, product, environment or {}, faults)
            try:
                for server in servers.values():
                    server.start()
                box = SecretBox(settings.secrets_key())
                context = Context(db=database, box=box, actor="test")
                yield Installation(
                    cluster, settings, context, Factory(context, settings.dsn("radius")), servers
                )
            finally:
                for server in servers.values():
                    server.stop()
                database.close()
        finally:
            cluster.stop()


def copy_product(target: Path, account: Account) -> Path:
    """The checkout's packages at *target*, readable for *account*; returns it.

    Compiled, as an installation's are: the account's processes cannot do it here.
    """
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in PRODUCT:
        shutil.copytree(CHECKOUT / name, target / name, ignore=ignore)
    compileall.compile_dir(target, quiet=2)
    for path in (target, *target.rglob("*")):
        account.share(path)
    return target


def migrated(settings: Settings) -> Database:
    """Make and fill the database that the settings name; transactions of the role `worker`."""
    passwords = {role: settings.role_password(role) for role in ROLES}
    migrate.bootstrap(settings.admin_dsn(), settings.database_name, passwords)
    migrate.migrate(settings.dsn("owner"), utc_now())
    owner = Database(settings.dsn("owner"))
    with owner.transaction() as tx:
        insert_operator(
            tx, OperatorView(name="Test ISP", time_zone="UTC", currency="USD"), utc_now()
        )
    owner.close()
    return Database(settings.dsn("worker"))


def _servers(
    settings: Settings, product: Path, more: Mapping[str, str], faults: Path | None
) -> dict[Kind, RadiusServer]:
    paths = [product, Path(sysconfig.get_path("purelib"))]
    if faults is not None:
        paths.insert(0, faults)
    options = RadiusOptions(python_paths=paths, **OPTIONS)
    environment = {
        "TOLLWAY_STATE_DIR": str(settings.state_dir),
        "TOLLWAY_DATABASE_URL": settings.database_url,
        "TOLLWAY_DATABASE_NAME": settings.database_name,
        **more,
    }
    kinds: tuple[Kind, Kind] = ("auth", "acct")
    return {
        kind: RadiusServer(kind, settings.state_dir, options=options, environment=environment)
        for kind in kinds
    }

"""Real parts for the tests: PostgreSQL, FreeRADIUS, a NAS. One cluster a test process, one
database a test module (a clone of a migrated template), everything on free ports of loopback."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from pathlib import Path

import hypothesis
import psycopg
import pytest
from psycopg import sql

from billing.clock import utc_now
from billing.model.views import OperatorView
from billing.services.context import Context
from billing.services.secrets import SecretBox
from billing.settings import ROLES, Settings
from billing.store import migrate
from billing.store.catalog import insert_operator
from billing.store.pool import Database
from rig import processes
from rig.account import service_account, temporary_state_dir
from rig.configuration import ensure_master_key
from rig.nas import SimulatedNas
from rig.postgres import PrivateCluster
from rig.radius import RadiusOptions, RadiusServer
from tests.factories import Factory
from tests.radius.installation import copy_product

CHECKOUT = Path(__file__).resolve().parent.parent
TEMPLATE = "tollway_template"
# By `fsync = off` only a machine that loses power loses something, killed processes do not.
# Installations that tests break on purpose (tests/radius/installation.py) keep it on.
CLUSTER_SETTINGS = {
    "fsync": "off",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "max_connections": "300",
    "autovacuum_naptime": "10s",
}
_numbers = count(1)

# No deadline: no test judges how fast a busy machine is. The same examples in every run; the
# profile `search` (./run test --all) looks for new ones, and for more of them.
hypothesis.settings.register_profile("tollway", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("search", deadline=None, max_examples=1000, print_blob=True)
hypothesis.settings.load_profile("tollway")


# Begun first, in this order, so that no process is left alone with one of them at the end.
_LONGEST = (
    "simulation/test_simulation.py",
    "simulation/test_mutants.py",
    "life/test_life.py",
    "bench/test_verbs.py",
    "integration/test_migrations.py",
    "radius/test_journal.py",
    "radius/test_tariff_windows.py",
    "chaos/test_chaos.py",
    "integration/test_renewals_killed.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; the others keep their order."""
    places = {CHECKOUT / "tests" / name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_sessionfinish() -> None:
    """Python warns of processes that nobody has waited for: now of those that do run still."""
    processes.reap()


@pytest.fixture(scope="session")
def state_dir() -> Iterator[Path]:
    """State of the installation under test: key file, logs, sockets."""
    with temporary_state_dir("twt-") as path:
        ensure_master_key(path, service_account())
        yield path


@pytest.fixture(scope="session")
def cluster(state_dir: Path) -> Iterator[PrivateCluster]:
    """A running PostgreSQL of this test process alone."""
    private = PrivateCluster(state_dir, settings=CLUSTER_SETTINGS)
    private.start()
    try:
        yield private
    finally:
        private.stop()


@pytest.fixture(scope="session")
def template_database(cluster: PrivateCluster, state_dir: Path) -> str:
    """A migrated database with an operator and its organisation 1; cloned, never used itself."""
    settings = _settings(state_dir, cluster, TEMPLATE)
    passwords = {role: settings.role_password(role) for role in ROLES}
    migrate.bootstrap(settings.admin_dsn(), TEMPLATE, passwords)
    now = utc_now()
    migrate.migrate(settings.dsn("owner"), now)
    database = Database(settings.dsn("owner"))
    with database.transaction() as tx:
        insert_operator(tx, OperatorView(name="Test ISP", time_zone="UTC", currency="USD"), now)
    database.close()
    return TEMPLATE


@pytest.fixture(scope="module")
def database_name(cluster: PrivateCluster, template_database: str) -> Iterator[str]:
    """A fresh database of this test module."""
    name = f"tollway_{next(_numbers)}"
    with psycopg.connect(cluster.dsn(), autocommit=True) as admin:
        clone = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER tollway_owner STRATEGY FILE_COPY")
        admin.execute(clone.format(sql.Identifier(name), sql.Identifier(template_database)))
    yield name
    if cluster.process() is not None:
        with psycopg.connect(cluster.dsn(), autocommit=True) as admin:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            admin.execute(drop.format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def settings(state_dir: Path, cluster: PrivateCluster, database_name: str) -> Settings:
    """Settings that point at this module's database."""
    return _settings(state_dir, cluster, database_name)


@pytest.fixture(scope="module")
def database(settings: Settings) -> Iterator[Database]:
    """Transactions of the role `worker`, which sees every organisation."""
    opened = Database(settings.dsn("worker"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def box(settings: Settings) -> SecretBox:
    return SecretBox(settings.secrets_key())


@pytest.fixture(scope="module")
def context(database: Database, box: SecretBox) -> Context:
    """The operator's own process as the actor."""
    return Context(db=database, box=box, actor="test")


@pytest.fixture
def now() -> datetime:
    """This second: what real FreeRADIUS decides by, too."""
    return utc_now().replace(microsecond=0)


@pytest.fixture
def make(context: Context, settings: Settings) -> Factory:
    """Makes profiles, plans, subscribers, packages and NAS, each with a name of its own."""
    return Factory(context, settings.dsn("radius"))


@pytest.fixture(scope="session")
def product_copy(state_dir: Path) -> Path:
    """The checkout's packages where an unprivileged radiusd can read them."""
    return copy_product(state_dir / "product", service_account())


@pytest.fixture(scope="module")
def radius_threads() -> int:
    """How many requests a server works on at once; a module may want more."""
    return 8


@pytest.fixture(scope="module")
def radius_client_seconds() -> int:
    """How long a NAS is kept before it is looked up anew; a module may want it longer."""
    return 1


@pytest.fixture(scope="module")
def radius(
    settings: Settings, product_copy: Path, radius_threads: int, radius_client_seconds: int
) -> Iterator[dict[str, RadiusServer]]:
    """Real FreeRADIUS, one server for authentication and one for accounting: `["auth"].port`."""
    environment = {
        "TOLLWAY_STATE_DIR": str(settings.state_dir),
        "TOLLWAY_DATABASE_URL": settings.database_url,
        "TOLLWAY_DATABASE_NAME": settings.database_name,
    }
    options = RadiusOptions(
        threads=radius_threads,
        instances=radius_threads,
        reject_delay_seconds=0,
        client_lifetime_seconds=radius_client_seconds,
        python_paths=(product_copy, Path(sysconfig.get_path("purelib"))),
    )
    servers = {
        kind: RadiusServer(kind, settings.state_dir, options=options, environment=environment)
        for kind in ("auth", "acct")
    }
    try:
        for server in servers.values():
            server.start()
        yield servers
    finally:
        for server in servers.values():
            server.stop()


@pytest.fixture
def nas(make: Factory, radius: dict[str, RadiusServer], now: datetime) -> Iterator[SimulatedNas]:
    """A NAS (generic) known to Tollway, with a socket that receives CoA and Disconnect."""
    with make.simulated_nas(
        now, auth_port=radius["auth"].port, acct_port=radius["acct"].port
    ) as simulated:
        yield simulated


def _settings(state_dir: Path, cluster: PrivateCluster, name: str) -> Settings:
    return Settings(state_dir=state_dir, database_url=cluster.dsn(), database_name=name)

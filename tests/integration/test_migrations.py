"""The schema: classes and migrations agree, every step keeps the data, functions are sound."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from billing.clock import utc_now
from billing.settings import ROLES, Settings
from billing.store import migrate
from billing.store.pool import sqlalchemy_url
from billing.store.tables import Base
from tests.integration.filler import fill, own_tables

ORG_ID = 2
# Rows that a step makes of the data it finds: a bill that is open gets the entry that it is owed.
ADDED = {"0021": {"journal_entry": 1, "posting": 2}}
_numbers = count(1)


class Chain:
    """A database that goes up revision by revision and never holds data; tests fill copies of it,
    so that what came before is not done anew for each."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._first = _bootstrapped(settings)

    def copy_at(self, revision: str) -> Settings:
        """A database without data at *revision*."""
        owner, known = self._first.dsn("owner"), migrate.revisions()
        current = migrate.current_revision(owner)
        if current is not None and known.index(current) > known.index(revision):
            self.close()
            self._first = _bootstrapped(self._settings)
        migrate.migrate(self._first.dsn("owner"), utc_now(), revision)
        return _created(self._settings, template=self._first.database_name)

    def close(self) -> None:
        _drop(self._first)


@pytest.fixture
def empty(settings: Settings, template_database: str) -> Iterator[Settings]:
    """Settings of an empty database; the roles exist."""
    fresh = _bootstrapped(settings)
    yield fresh
    _drop(fresh)


@pytest.fixture(scope="module")
def chain(settings: Settings, template_database: str) -> Iterator[Chain]:
    opened = Chain(settings)
    yield opened
    opened.close()


@pytest.fixture
def before_it(chain: Chain, settings: Settings, revision: str) -> Iterator[Settings]:
    """Settings of a database at the revision before; an empty one before the first."""
    known = migrate.revisions()
    place = known.index(revision)
    fresh = chain.copy_at(known[place - 1]) if place else _bootstrapped(settings)
    yield fresh
    _drop(fresh)


def _bootstrapped(settings: Settings) -> Settings:
    fresh = _next(settings)
    passwords = {role: fresh.role_password(role) for role in ROLES}
    migrate.bootstrap(fresh.admin_dsn(), fresh.database_name, passwords)
    return fresh


def _created(settings: Settings, template: str) -> Settings:
    fresh = _next(settings)
    with psycopg.connect(fresh.admin_dsn(), autocommit=True) as admin:
        clone = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER tollway_owner STRATEGY FILE_COPY")
        admin.execute(clone.format(sql.Identifier(fresh.database_name), sql.Identifier(template)))
    return fresh


def _next(settings: Settings) -> Settings:
    return settings.model_copy(update={"database_name": f"tollway_empty_{next(_numbers)}"})


def _drop(fresh: Settings) -> None:
    with psycopg.connect(fresh.admin_dsn(), autocommit=True) as admin:
        name = sql.Identifier(fresh.database_name)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def _rows(settings: Settings) -> dict[str, int]:
    with psycopg.connect(settings.admin_dsn(settings.database_name), autocommit=True) as db:
        found = {}
        for table in own_tables(db):
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            row = db.execute(query).fetchone()
            assert row is not None
            found[table] = int(row[0])
        return found


def _fill(settings: Settings) -> None:
    with psycopg.connect(settings.admin_dsn(settings.database_name), autocommit=True) as db:
        fill(db, ORG_ID)


def _differences(settings: Settings) -> list[object]:
    """What autogenerate would add to a new migration."""
    engine = create_engine(sqlalchemy_url(settings.dsn("owner")), poolclass=NullPool)
    ours = Base.metadata.tables
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "version_table": "schema_version",
                "include_object": lambda _object, name, kind, _reflected, _other: (
                    kind != "table" or name in ours
                ),
                "include_name": lambda name, kind, _parents: kind != "table" or name in ours,
            },
        )
        return list(compare_metadata(context, Base.metadata))


def test_classes_and_migrations_agree(settings: Settings) -> None:
    assert _differences(settings) == []


def test_agreement_is_really_compared(settings: Settings) -> None:
    with psycopg.connect(settings.dsn("owner"), autocommit=True) as owner:
        owner.execute("ALTER TABLE plan ADD COLUMN surplus text")
        assert len(_differences(settings)) == 1
        owner.execute("ALTER TABLE plan DROP COLUMN surplus")


@pytest.mark.parametrize("revision", migrate.revisions())
def test_step_carries_the_data_of_the_revision_before_it(
    before_it: Settings, revision: str
) -> None:
    before: dict[str, int] = {}
    if revision != migrate.revisions()[0]:
        _fill(before_it)
        before = _rows(before_it)
        assert min(before.values()) >= 1
    migrate.migrate(before_it.dsn("owner"), utc_now(), revision)
    assert migrate.current_revision(before_it.dsn("owner")) == revision
    after = _rows(before_it)
    added = ADDED.get(revision, {})
    assert {table: after[table] - added.get(table, 0) for table in before} == before


def test_migrating_again_changes_nothing(empty: Settings) -> None:
    for _ in range(2):
        migrate.migrate(empty.dsn("owner"), utc_now())
        assert migrate.current_revision(empty.dsn("owner")) == migrate.revisions()[-1]
    assert _differences(empty) == []


def test_plpgsql_check_finds_nothing(settings: Settings) -> None:
    """Static analysis of every function of ours: names, types, unused and shadowed variables."""
    with psycopg.connect(settings.admin_dsn(settings.database_name), autocommit=True) as admin:
        admin.execute("CREATE EXTENSION IF NOT EXISTS plpgsql_check")
        found = admin.execute(
            "SELECT p.proname, c.level, c.message, c.lineno FROM pg_proc p"
            " JOIN pg_language l ON l.oid = p.prolang"
            " CROSS JOIN LATERAL plpgsql_check_function_tb(p.oid, extra_warnings => true,"
            "  performance_warnings => false) c"
            " WHERE p.pronamespace = 'public'::regnamespace AND l.lanname = 'plpgsql'"
            " AND p.prorettype <> 'trigger'::regtype"
            " AND p.proname NOT LIKE 'procrastinate%' AND p.proname NOT LIKE 'plpgsql%'"
        ).fetchall()
        admin.execute("DROP EXTENSION plpgsql_check")
    assert found == []


@pytest.mark.rule("R1")
@pytest.mark.parametrize("revision", ["0053"])
def test_who_is_a_reseller_already_does_not_begin_to_earn_by_what_customers_buy(
    before_it: Settings, revision: str
) -> None:
    _fill(before_it)
    migrate.migrate(before_it.dsn("owner"), utc_now(), revision)
    with psycopg.connect(before_it.admin_dsn(before_it.database_name), autocommit=True) as db:
        assert db.execute("SELECT earns_on_self_service FROM reseller").fetchall() == [(False,)]

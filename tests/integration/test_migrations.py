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


@pytest.fixture
def empty(settings: Settings, template_database: str) -> Iterator[Settings]:
    """Settings of an empty database; the roles exist."""
    fresh = settings.model_copy(update={"database_name": f"tollway_empty_{next(_numbers)}"})
    passwords = {role: fresh.role_password(role) for role in ROLES}
    migrate.bootstrap(fresh.admin_dsn(), fresh.database_name, passwords)
    yield fresh
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
def test_step_carries_the_data_of_the_revision_before_it(empty: Settings, revision: str) -> None:
    known = migrate.revisions()
    place = known.index(revision)
    before: dict[str, int] = {}
    if place > 0:
        migrate.migrate(empty.dsn("owner"), utc_now(), known[place - 1])
        _fill(empty)
        before = _rows(empty)
        assert min(before.values()) >= 1
    migrate.migrate(empty.dsn("owner"), utc_now(), revision)
    assert migrate.current_revision(empty.dsn("owner")) == revision
    after = _rows(empty)
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

"""Roles, database and schema: everything between an empty server and a ready one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import psycopg
from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from billing.store.pool import named_query, sqlalchemy_url

SQL_ROOT = Path(__file__).resolve().parents[2] / "sql"
MINIMUM_SERVER_VERSION = 150000


def run_sql_file(name: str) -> None:
    """Run one file below sql/ inside a migration, by a raw cursor: `text()` trips over % and :."""
    raw = op.get_bind().connection.cursor()
    # A function may call what a later migration makes.
    raw.execute("SET LOCAL check_function_bodies = off")
    raw.execute((SQL_ROOT / name).read_text())


def replace_function(name: str) -> None:
    """Bring a function that an earlier migration made to what its file says now; its signature
    and its grants stay."""
    source = (SQL_ROOT / f"functions/{name}.sql").read_text()
    raw = op.get_bind().connection.cursor()
    raw.execute(source.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))


def bootstrap(admin_dsn: str, database: str, role_passwords: dict[str, str]) -> None:
    """Create the cluster's roles (security.md 14) and the database when they are missing.

    Roles are cluster-wide, so migrations never touch them. Repeatable; resets the passwords.
    """
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        for role, password in role_passwords.items():
            name = sql.Identifier(f"tollway_{role}")
            exists = connection.execute(
                "SELECT 1 FROM pg_roles WHERE rolname = %s", (f"tollway_{role}",)
            ).fetchone()
            verb = sql.SQL("ALTER" if exists else "CREATE")
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD {}").format(
                    verb, name, sql.Literal(password)
                )
            )
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
        if not found.fetchone():
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER tollway_owner ENCODING 'UTF8'").format(
                    sql.Identifier(database)
                )
            )


def migrate(owner_dsn: str, now: datetime, revision: str = "head") -> None:
    """Bring the schema to `revision` and make the partitions that `now` needs.

    One migration at a time, under a session lock, so that parallel starts queue up.
    """
    engine = create_engine(sqlalchemy_url(owner_dsn), poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_lock(7018)")
        connection.commit()
        try:
            command.upgrade(_config(connection), revision)
            connection.exec_driver_sql(named_query("ensure_partitions"), {"now": now})
            connection.commit()
        finally:
            connection.rollback()
            connection.exec_driver_sql("SELECT pg_advisory_unlock(7018)")
            connection.commit()


def revisions() -> list[str]:
    """Every revision, oldest first."""
    script = ScriptDirectory.from_config(_config(None))
    return [step.revision for step in reversed(list(script.walk_revisions()))]


def current_revision(owner_dsn: str) -> str | None:
    """The revision the database is at, None when it is empty."""
    engine = create_engine(sqlalchemy_url(owner_dsn), poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "schema_version"})
        return context.get_current_revision()


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SQL_ROOT / "migrations"))
    config.attributes["connection"] = connection
    return config

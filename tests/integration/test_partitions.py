"""Partitions of journal, logins and past sessions, also after a time in which none was made."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from billing.services import upkeep
from billing.services.context import Context
from billing.settings import Settings
from tests.integration.filler import columns, insert

ORG_ID = 2
# The filler's rows are of this day.
DAY = datetime(2026, 3, 10, tzinfo=UTC)
LONG_AGO = datetime(2025, 1, 7, 12, tzinfo=UTC)
PARENTS = {
    "acct_journal": ("arrived_at", "acct_journal_p20260310"),
    "login_attempt": ("at", "login_attempt_p20260310"),
    "session_history": ("started_at", "session_history_p202603"),
}


@pytest.fixture
def admin(settings: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(settings.admin_dsn(settings.database_name), autocommit=True) as db:
        yield db


def _rows(db: psycopg.Connection, table: str) -> list[tuple[Any, ...]]:
    """(partition, row) of everything in a partitioned table, in the order of its rows."""
    query = "SELECT t.tableoid::regclass::text, t::text FROM {} t ORDER BY 2"
    return db.execute(sql.SQL(query).format(sql.Identifier(table))).fetchall()


def _add(db: psycopg.Connection, table: str) -> None:
    """Two rows that have no partition: one of DAY, one much older."""
    for number in (0, 1):
        db.execute(*insert(db, table, ORG_ID, number))
    move = sql.SQL("UPDATE {} SET {} = %s WHERE customer_id = %s").format(
        sql.Identifier(table), sql.Identifier(PARENTS[table][0])
    )
    db.execute(move, (LONG_AGO, ORG_ID * 1000 + 1))


@pytest.mark.rule("U11")
def test_rows_that_came_without_a_partition_move_into_theirs(
    context: Context, admin: psycopg.Connection
) -> None:
    before = {}
    for table in PARENTS:
        _add(admin, table)
        before[table] = _rows(admin, table)
        assert {partition for partition, _ in before[table]} == {f"{table}_default"}
    assert upkeep.ensure_partitions(context, DAY + timedelta(days=1)) > 0
    for table, (_, partition) in PARENTS.items():
        after = _rows(admin, table)
        assert [row for _, row in after] == [row for _, row in before[table]]
        assert [place for place, _ in after] == [partition, f"{table}_default"]
    assert upkeep.ensure_partitions(context, DAY + timedelta(days=1)) == 0


@pytest.mark.rule("U11")
def test_rows_of_a_new_partition_are_numbered_and_unique(
    context: Context, admin: psycopg.Connection, settings: Settings
) -> None:
    upkeep.ensure_partitions(context, DAY)
    table, number = "login_attempt", "attempt_id"
    names = [column.name for column in columns(admin)[table] if column.name != number]
    admin.execute(*insert(admin, table, ORG_ID, 7))
    copy = sql.SQL("INSERT INTO {table} ({names}) SELECT {names} FROM {table} LIMIT 1").format(
        table=sql.Identifier(table), names=sql.SQL(", ").join(map(sql.Identifier, names))
    )
    with psycopg.connect(settings.dsn("worker"), autocommit=True) as worker:
        worker.execute(copy)
    with pytest.raises(psycopg.errors.UniqueViolation):
        admin.execute(*insert(admin, table, ORG_ID, 7))

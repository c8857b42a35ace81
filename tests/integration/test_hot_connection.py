"""The connection of a lane outlives what happens to the database (rule U1)."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from billing.settings import Settings
from billing.store.hotpath import HotConnection

READ = "SELECT * FROM lane_probe()"


@pytest.fixture
def owner(settings: Settings) -> Iterator[psycopg.Connection]:
    """Who migrates."""
    with psycopg.connect(settings.dsn("owner"), autocommit=True) as db:
        yield db


def _define(owner: psycopg.Connection, columns: str, values: str) -> None:
    owner.execute("DROP FUNCTION IF EXISTS lane_probe()")
    body = f"CREATE FUNCTION lane_probe() RETURNS TABLE ({columns}) LANGUAGE sql AS $$ {values} $$"
    owner.execute(body)


def test_a_function_that_a_migration_changed_is_read_anew(
    settings: Settings, owner: psycopg.Connection
) -> None:
    lane = HotConnection(settings.dsn("worker"), statement_timeout_ms=5000, lock_timeout_ms=5000)
    try:
        _define(owner, "one int", "SELECT 1")
        assert [tuple(row) for row in lane.fetch(READ, ())] == [(1,)]
        _define(owner, "one int, two int", "SELECT 1, 2")
        assert [tuple(row) for row in lane.fetch(READ, ())] == [(1, 2)]
    finally:
        lane.close()
        owner.execute("DROP FUNCTION lane_probe()")

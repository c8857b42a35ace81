"""The connections that a process may have to the database."""

from __future__ import annotations

from contextlib import ExitStack, closing

import pytest
from sqlalchemy import text

from billing.errors import Unavailable
from billing.settings import Settings
from billing.store.pool import Database
from web import create_app


def test_who_finds_none_free_is_told_to_come_back(settings: Settings) -> None:
    """One is kept, one more opened."""
    with closing(Database(settings.dsn("panel"), pool_size=1, wait_seconds=0.1)) as database:
        with ExitStack() as busy:
            for _ in range(2):
                busy.enter_context(database.transaction()).execute(text("SELECT 1"))
            with (
                pytest.raises(Unavailable, match="in use"),
                database.transaction() as late,
            ):
                late.execute(text("SELECT 1"))
        with database.transaction() as tx:
            assert tx.execute(text("SELECT 1")).scalar_one() == 1


def test_how_many_the_panel_keeps_is_a_setting(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLWAY_PANEL_CONNECTIONS", "7")
    found = Settings(state_dir=settings.state_dir).panel_connections
    assert found == 7
    app = create_app(settings.model_copy(update={"panel_connections": found}))
    with closing(app.extensions["tollway"]) as parts:
        assert parts.nobody.db._engine.pool.size() == found

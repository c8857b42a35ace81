"""The job of statements, killed again and again: each customer gets each month once (rule M3)."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy import func, select, update

from billing.services import catalog, imports, statement_run
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from tests.factories import MONTHLY
from tests.integration.killing import killed_in_the_middle

CREATED = datetime(2026, 3, 18, 12, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, 1, tzinfo=UTC)
CUSTOMERS = 1_500
MONTHS = 3  # March, April and May
KILLS = 4
LONGEST_SECONDS = 120.0


def test_a_run_that_is_killed_is_taken_up_where_it_was(
    context: Context, settings: Settings, tmp_path: Path
) -> None:
    profile = replace(MONTHLY, name="Homes", monthly_statement=True)
    catalog.add_profile(context, profile, CREATED)
    rows = "".join(
        f"told{number},long enough 7,Homes,told{number}@mail.example,12.00\n"
        for number in range(CUSTOMERS)
    )
    source = tmp_path / "subscribers.csv"
    source.write_text(f"username,password,profile,email,balance\n{rows}")
    imports.import_subscribers(context, source, CREATED, lambda *_: None)
    with context.transaction() as tx:
        tx.execute(update(tables.Customer).values(stated_until=date(2026, 3, 1)))
    run = ["jobs", "run", "statements", "--at", JUNE.isoformat()]
    chance, kills = random.Random(7), 0
    give_up = time.monotonic() + LONGEST_SECONDS
    while kills < KILLS and _queued(context) < CUSTOMERS * MONTHS:
        kills += killed_in_the_middle(
            settings, run, lambda: _queued(context), chance.uniform(0, 0.1)
        )
        assert time.monotonic() < give_up
    assert kills >= KILLS // 2, "the run was hardly ever killed"
    statement_run.run(context, JUNE)
    assert statement_run.run(context, JUNE).queued == 0
    assert _queued(context) == CUSTOMERS * MONTHS
    message = tables.Message
    with context.transaction() as tx:
        months = message.facts["first_day"].astext
        found = tx.execute(
            select(months, func.count(), func.count(message.customer_id.distinct()))
            .group_by(months)
            .order_by(months)
        ).all()
    assert [tuple(row) for row in found] == [
        (f"2026-0{month}-01", CUSTOMERS, CUSTOMERS) for month in (3, 4, 5)
    ]


def _queued(context: Context) -> int:
    with context.transaction() as tx:
        return tx.scalar(select(func.count()).select_from(tables.Message)) or 0

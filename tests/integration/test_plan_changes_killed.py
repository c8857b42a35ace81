"""Prices announced and plans changed by a job that is killed again and again (rules B17, B18)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from billing.model.plan_changes import ChangeState
from billing.services import bill_run, books, catalog, imports, plan_runs, prices
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from tests.factories import MONTH_PLAN, MONTHLY
from tests.integration.killing import killed_in_the_middle

CREATED = datetime(2026, 3, 18, 12, tzinfo=UTC)
MAY = datetime(2026, 5, 1, 1, tzinfo=UTC)
SINCE = datetime(2026, 5, 10, 1, tzinfo=UTC)
CUSTOMERS = 250
KILLS = 3
LONGEST_SECONDS = 300.0


@pytest.mark.rule("B18")
@pytest.mark.rule("B17")
def test_each_is_told_once_and_moved_once(
    context: Context, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_id = _customers(context, tmp_path)
    with monkeypatch.context() as patched:  # a command that died before it told anybody
        patched.setattr(prices, "announce", lambda *_: 0)
        prices.reprice(
            context,
            plan_id,
            33_000_000,
            from_day=date(2026, 4, 1),
            notice_days=30,
            now=CREATED,
        )
    _run_killed(context, settings, CREATED, _told)
    told_before = _told(context)
    assert plan_runs.run(context, CREATED).announced == CUSTOMERS - told_before
    messages = tables.Message
    with context.transaction() as tx:
        told = tx.scalar(
            select(func.count()).select_from(messages).where(messages.kind == "price_notice")
        )
    assert (told, _told(context)) == (CUSTOMERS, CUSTOMERS)
    bill_run.run(context, MAY)
    _run_killed(context, settings, SINCE, _moved)
    plan_runs.run(context, SINCE)
    bill_run.run(context, SINCE)
    assert _moved(context) == CUSTOMERS
    assert _on_new_version(context) == CUSTOMERS
    bill = tables.Invoice
    with context.transaction() as tx:
        totals = tx.execute(
            select(bill.cycle_from, bill.total_micros, func.count())
            .group_by(bill.cycle_from, bill.total_micros)
            .order_by(bill.cycle_from)
        ).all()
    assert [tuple(row)[1:] for row in totals] == [
        (22_260_000, CUSTOMERS),
        (30_000_000, CUSTOMERS),
        (33_000_000, CUSTOMERS),
    ]
    assert books.check_ledger(context, SINCE).findings == ()


def _customers(context: Context, tmp_path: Path) -> int:
    terms = replace(MONTH_PLAN, plan_name="Home", price_micros=30_000_000)
    profile = replace(MONTHLY, name="Homes", cycle_day=10, automatic_bill=True)
    catalog.add_profile(context, profile, CREATED)
    plan = catalog.add_plan(context, terms, CREATED)
    rows = "".join(f"told{number},long enough 7,Homes,Home\n" for number in range(CUSTOMERS))
    source = tmp_path / "subscribers.csv"
    source.write_text(f"username,password,profile,plan\n{rows}")
    imports.import_subscribers(context, source, CREATED, lambda *_: None)
    with context.transaction() as tx:
        tx.execute(update(tables.Customer).values(email="ada@example.org"))
    return plan.plan_id


def _count(context: Context, *conditions: object) -> int:
    with context.transaction() as tx:
        found = select(func.count()).select_from(tables.PlanChange).where(*conditions)
        return tx.scalar(found) or 0


def _told(context: Context) -> int:
    return _count(context)


def _moved(context: Context) -> int:
    return _count(context, tables.PlanChange.state == ChangeState.DONE.value)


def _on_new_version(context: Context) -> int:
    version = tables.PlanVersion
    with context.transaction() as tx:
        found = (
            select(func.count())
            .select_from(tables.Subscription)
            .join(version, version.plan_version_id == tables.Subscription.plan_version_id)
            .where(version.version == 2)
        )
        return tx.scalar(found) or 0


def _run_killed(
    context: Context, settings: Settings, at: datetime, done: Callable[[Context], int]
) -> None:
    """Start the job and kill it a moment after it has done more, KILLS times."""
    chance, kills = random.Random(7), 0
    give_up = time.monotonic() + LONGEST_SECONDS
    run = ["jobs", "run", "plan_changes", "--at", at.isoformat()]
    while kills < KILLS and done(context) < CUSTOMERS:
        kills += killed_in_the_middle(settings, run, lambda: done(context), chance.uniform(0, 0.15))
        assert time.monotonic() < give_up
    assert kills >= 1, "the job was never killed"

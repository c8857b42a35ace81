"""A run of renewals that is killed again and again: no package twice, none unpaid (rule P10)."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from billing.model.profile import Payment
from billing.services import books, catalog, imports, renewal_run
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from tests.factories import DAILY, DAY_PLAN, MONTH_PLAN, MONTHLY
from tests.integration.killing import killed_in_the_middle

CREATED = datetime(2026, 3, 10, 12, tzinfo=UTC)
DUE = datetime(2026, 4, 10, tzinfo=UTC)
EACH = 300
"""Daily and monthly customers; half of them have the money."""
KILLS = 4
LONGEST_SECONDS = 300.0


@pytest.mark.rule("P10")
def test_a_run_that_is_killed_is_taken_up_where_it_was(
    context: Context, settings: Settings, tmp_path: Path
) -> None:
    _import(context, tmp_path)
    run = ["jobs", "run", "renewals", "--at", DUE.isoformat()]
    chance, kills = random.Random(11), 0
    give_up = time.monotonic() + LONGEST_SECONDS
    while kills < KILLS and _bought(context) < EACH:
        kills += killed_in_the_middle(
            settings, run, lambda: _bought(context), chance.uniform(0, 0.4)
        )
        assert books.check_ledger(context, DUE).findings == ()
        assert time.monotonic() < give_up
    assert kills >= KILLS // 2, "the run was hardly ever killed"
    renewal_run.run(context, DUE)
    assert renewal_run.run(context, DUE).customers == 0
    assert _bought(context) == EACH
    assert books.check_ledger(context, DUE).findings == ()
    row, wallet, bill = tables.Subscription, tables.Wallet, tables.Invoice
    with context.transaction() as tx:
        # Everybody who could pay has one thing, and exactly its price is gone.
        left = tx.execute(
            select(wallet.posted_micros, func.count()).group_by(wallet.posted_micros)
        ).all()
        held = tx.scalar(select(func.count()).where(row.on_hold_since == DUE))
        numbers = sorted(int(number[4:]) for number in tx.scalars(select(bill.number)))
    assert sorted(tuple(one) for one in left) == [(0, EACH), (250_000, EACH)]
    assert held == EACH // 2
    assert numbers == list(range(1, EACH // 2 + 1))


def _import(context: Context, folder: Path) -> None:
    """Each is due at DUE: the daily ones have never bought, the monthly ones' cycle begins."""
    catalog.add_profile(context, replace(DAILY, name="Days"), CREATED)
    prepaid = replace(
        MONTHLY, name="Months", payment=Payment.PREPAID, cycle_day=10, automatic_bill=True
    )
    catalog.add_profile(context, prepaid, DUE)
    catalog.add_plan(context, replace(DAY_PLAN, plan_name="Day"), CREATED)
    catalog.add_plan(context, replace(MONTH_PLAN, plan_name="Month"), CREATED)
    lines = ["username,password,profile,plan,balance"]
    for number in range(EACH):
        enough = number % 2
        day, month = ("1.25", "30.25") if enough else ("", "")
        lines.append(f"day{number},long enough 7,Days,Day,{day}")
        lines.append(f"month{number},long enough 7,Months,Month,{month}")
    source = folder / "subscribers.csv"
    source.write_text("\n".join(lines) + "\n")
    imports.import_subscribers(context, source, CREATED + timedelta(days=1), lambda *_: None)
    row = tables.Subscription
    with context.transaction() as tx:
        tx.execute(update(row).values(renews_at=DUE, renews=row.username.like("day%")))


def _bought(context: Context) -> int:
    with context.transaction() as tx:
        return sum(
            tx.scalar(select(func.count()).select_from(table)) or 0
            for table in (tables.Entitlement, tables.Invoice)
        )

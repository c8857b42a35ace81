"""A bill run that is killed again and again: no bill twice, no gap, no entry missing, all usage on
exactly one bill (rules B7, P2)."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select

from billing.services import bill_run, books, catalog, imports
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from tests.factories import MONTH_PLAN, MONTHLY
from tests.integration.killing import killed_in_the_middle

CREATED = datetime(2026, 3, 18, 12, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, 1, tzinfo=UTC)
CUSTOMERS = 2_000
BILLS_EACH = 4  # of 18 March, 10 April, May and June
KILLS = 6
LONGEST_SECONDS = 300.0
USED = {"2026-03-20": 1_234_567, "2026-04-25": 5_432, "2026-05-31": 20_000_000}
"""Micros of pay-as-you-go by local day, of each customer; in the journal of none yet."""


@pytest.mark.rule("B7")
def test_a_run_that_is_killed_is_taken_up_where_it_was(
    context: Context, settings: Settings, tmp_path: Path
) -> None:
    terms = replace(MONTH_PLAN, plan_name="Home", price_micros=30_000_000)
    profile = replace(MONTHLY, name="Homes", cycle_day=10, automatic_bill=True)
    catalog.add_profile(context, profile, CREATED)
    catalog.add_plan(context, terms, CREATED)
    rows = "".join(f"killed{number},long enough 7,Homes,Home\n" for number in range(CUSTOMERS))
    source = tmp_path / "subscribers.csv"
    source.write_text(f"username,password,profile,plan\n{rows}")
    imports.import_subscribers(context, source, CREATED, lambda *_: None)
    _use(settings)
    assert _issued(context) == 0
    run = ["bill", "run", "--at", JUNE.isoformat()]
    chance, kills = random.Random(7), 0
    give_up = time.monotonic() + LONGEST_SECONDS
    while kills < KILLS and _issued(context) < CUSTOMERS * BILLS_EACH:
        kills += killed_in_the_middle(
            settings, run, lambda: _issued(context), chance.uniform(0, 0.4)
        )
        assert books.check_ledger(context, JUNE).findings == ()
        assert time.monotonic() < give_up
    assert kills >= KILLS // 2, "the run was hardly ever killed"
    bill_run.run(context, JUNE)
    assert _issued(context) == CUSTOMERS * BILLS_EACH
    assert books.check_ledger(context, JUNE).findings == ()
    bill = tables.Invoice
    with context.transaction() as tx:
        doubled = tx.execute(
            select(bill.subscription_id, bill.cycle_from)
            .group_by(bill.subscription_id, bill.cycle_from)
            .having(func.count() > 1)
        ).all()
        numbers = sorted(int(number[4:]) for number in tx.scalars(select(bill.number)))
    assert doubled == []
    assert numbers == list(range(1, len(numbers) + 1))
    assert _billed_usage(context) == dict.fromkeys(USED.values(), CUSTOMERS)


def _use(settings: Settings) -> None:
    """As the meter leaves it."""
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        for place, (day, micros) in enumerate(USED.items(), 1):
            admin.execute(
                "INSERT INTO daily_usage (customer_id, session_id, local_day, kind, entitlement_id,"
                " plan_version_id, subscription_id, org_id, seconds, input_octets, output_octets,"
                " charged_micros) SELECT customer_id, %s, %s, 'payg', 0, plan_version_id,"
                " subscription_id, org_id, 60, 1, 2, %s FROM subscription",
                (place, day, micros),
            )
        admin.execute("UPDATE wallet SET unposted_micros = %s", (sum(USED.values()),))


def _billed_usage(context: Context) -> dict[int | None, int]:
    """How many lines of usage bills have, by what was rated."""
    line = tables.InvoiceLine
    with context.transaction() as tx:
        rows = tx.execute(
            select(line.usage_micros, func.count())
            .where(line.usage_micros.is_not(None))
            .group_by(line.usage_micros)
        )
        return {row[0]: row[1] for row in rows}


def _issued(context: Context) -> int:
    with context.transaction() as tx:
        return tx.scalar(select(func.count()).select_from(tables.Invoice)) or 0

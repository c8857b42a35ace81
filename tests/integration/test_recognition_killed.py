"""Postings of revenue that are killed again and again: nothing twice, nothing missing (rule I6)."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from billing.model.revenue import RevenueKind
from billing.services import bill_run, books, catalog, imports, recognition
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from tests.factories import MONTH_PLAN, MONTHLY
from tests.integration.killing import killed_in_the_middle

CREATED = datetime(2026, 3, 18, 12, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, 1, tzinfo=UTC)
CUSTOMERS = 2_000
POSTINGS_EACH = 2  # at the end of March, and of the cycle
KILLS = 5
LONGEST_SECONDS = 120.0


@pytest.mark.rule("I6")
def test_a_posting_that_is_killed_is_taken_up_where_it_was(
    context: Context, settings: Settings, tmp_path: Path
) -> None:
    terms = replace(MONTH_PLAN, plan_name="Home", price_micros=31_000_000)
    profile = replace(MONTHLY, name="Homes", cycle_day=10, automatic_bill=True)
    catalog.add_profile(context, profile, CREATED)
    catalog.add_plan(context, terms, CREATED)
    rows = "".join(f"killed{number},long enough 7,Homes,Home\n" for number in range(CUSTOMERS))
    source = tmp_path / "subscribers.csv"
    source.write_text(f"username,password,profile,plan\n{rows}")
    imports.import_subscribers(context, source, CREATED, lambda *_: None)
    assert bill_run.run(context, CREATED).issued == CUSTOMERS
    run = ["jobs", "run", "recognise_revenue", "--at", JUNE.isoformat()]
    chance, kills = random.Random(7), 0
    give_up = time.monotonic() + LONGEST_SECONDS
    while kills < KILLS and _posted(context) < CUSTOMERS * POSTINGS_EACH:
        kills += killed_in_the_middle(
            settings, run, lambda: _posted(context), chance.uniform(0, 0.3)
        )
        assert books.check_ledger(context, JUNE).findings == ()
        assert time.monotonic() < give_up
    assert kills >= KILLS // 2, "the posting was hardly ever killed"
    recognition.run(context, JUNE)
    assert recognition.run(context, JUNE).items == 0
    assert _posted(context) == CUSTOMERS * POSTINGS_EACH
    assert books.check_ledger(context, JUNE).findings == ()
    for first, last, each in ((3, 31, 14_000_000), (4, 30, 9_000_000)):
        report = recognition.report(context, date(2026, first, 1), date(2026, first, last))
        (line,) = (one for one in report.lines if one.kind is RevenueKind.BILL)
        assert line.earned_micros == CUSTOMERS * each


def _posted(context: Context) -> int:
    with context.transaction() as tx:
        return tx.scalar(select(func.count()).select_from(tables.DeferredMove)) or 0

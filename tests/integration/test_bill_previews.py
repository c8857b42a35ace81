"""The bill run's page: what a run would do by pages and in all, and what is remembered (B7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from billing.model.bills import BillPreview
from billing.services import bill_previews, bill_run
from billing.services.context import Context
from billing.settings import Settings
from billing.store.pool import Database
from tests.factories import MONTH_PLAN, MONTHLY, Factory

TENTH = replace(MONTHLY, cycle_day=10, automatic_bill=True)
CREATED = datetime(2026, 3, 18, 12, tzinfo=UTC)
MAY = date(2026, 5, 1)
NOW = datetime(2026, 5, 1, 0, 11, tzinfo=UTC)


@pytest.mark.rule("B7")
def test_pages_and_totals_are_what_the_run_does(
    context: Context, make: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = [
        make.subscriber(CREATED, profile=TENTH, plan=MONTH_PLAN).customer_id for _ in range(5)
    ]
    whole = [one for one in bill_run.preview_by(context, MAY) if isinstance(one, BillPreview)]
    assert [one.customer_id for one in whole if one.customer_id in owners] == sorted(owners * 2)
    paged: list[BillPreview] = []
    after: int | None = 0
    while after is not None:
        page = bill_previews.page(context, MAY, after=after, limit=3)
        assert page.parked == ()
        paged += page.bills
        after = page.next_after
    assert paged == whole
    totals = bill_previews.totals(context, MAY)
    assert totals.bills == len(whole)
    assert totals.total_micros == sum(one.total_micros for one in whole)
    assert totals.customers >= len(owners)

    monkeypatch.setattr(bill_previews, "LOOKED_AT", 2)
    short = bill_previews.page(context, MAY, limit=100)
    assert short.next_after is not None and len(short.bills) < len(whole)

    report = bill_run.run(context, NOW)
    assert (report.issued, report.total_micros) == (totals.bills, totals.total_micros)
    last = bill_run.last_run(context)
    assert last is not None
    assert (last.at, last.issued, last.total_micros, last.parked) == (
        NOW,
        report.issued,
        report.total_micros,
        0,
    )
    # A run that does nothing is not remembered.
    bill_run.run(context, NOW.replace(hour=5))
    assert bill_run.last_run(context) == last


def test_the_panel_queues_a_run_once_and_says_who_wanted_it(
    context: Context, settings: Settings
) -> None:
    panel = Database(settings.dsn("panel"))
    at_desk = replace(context, db=panel, org_ids=(1,), actor="desk@isp.example")
    try:
        assert bill_previews.queue(at_desk, NOW)
        assert not bill_previews.queue(at_desk, NOW)
    finally:
        panel.close()
    with context.transaction() as tx:
        queued = tx.execute(
            text("SELECT task_name, queueing_lock, args, status FROM procrastinate_jobs")
        ).all()
        asked = tx.execute(text("SELECT actor FROM audit_log WHERE action = 'job.queue'")).scalars()
        assert list(asked) == ["desk@isp.example"]
    assert [tuple(row) for row in queued] == [
        ("tollway:bill_run", "bill_run", {"timestamp": int(NOW.timestamp())}, "todo")
    ]

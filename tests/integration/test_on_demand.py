"""A customer's bills when somebody asks for them; the runs go on from there (rules I5, B7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.profile import BillIn
from billing.services import bill_run, books, on_demand
from billing.services.context import Context
from billing.store import tables
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber

CREATED = datetime(2026, 3, 10, 8, tzinfo=UTC)
APRIL_2 = datetime(2026, 4, 2, 12, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, 6, tzinfo=UTC)
AHEAD = replace(MONTHLY, cycle_day=10, automatic_bill=True)
ARREARS = replace(AHEAD, bill_in=BillIn.ARREARS)

pytestmark = pytest.mark.rule("I5")


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    yield
    assert books.check_ledger(context, JUNE).findings == ()


def cycles(context: Context, owner: Subscriber) -> list[tuple[str, str, int]]:
    """First day, day after the last one, total in cents."""
    with context.transaction() as tx:
        rows = tx.query(tables.Invoice).filter_by(customer_id=owner.customer_id)
        return [
            (str(row.cycle_from), str(row.cycle_until), row.total_micros // 10_000)
            for row in rows.order_by(tables.Invoice.invoice_id)
        ]


def test_what_is_due_is_billed_at_once_and_once(context: Context, make: Factory) -> None:
    owner = make.subscriber(CREATED, profile=AHEAD, plan=MONTH_PLAN)
    issued = on_demand.bill_customer(context, owner.customer_id, APRIL_2)
    assert [bill.total_micros for bill in issued] == [30_000_000]
    assert on_demand.bill_customer(context, owner.customer_id, APRIL_2) == []
    bill_run.run(context, APRIL_2)
    assert len(cycles(context, owner)) == 2


def test_in_advance_whole_cycles_are_billed_ahead(context: Context, make: Factory) -> None:
    owner = make.subscriber(CREATED, profile=AHEAD, plan=MONTH_PLAN)
    with pytest.raises(InvalidInput, match="2026-05-10 or 2026-06-10") as refused:
        on_demand.bill_customer(context, owner.customer_id, APRIL_2, date(2026, 6, 1))
    assert refused.value.field == "until"
    on_demand.bill_customer(context, owner.customer_id, APRIL_2, date(2026, 6, 10))
    bill_run.run(context, JUNE)
    assert cycles(context, owner) == [
        ("2026-03-10", "2026-04-10", 3000),
        ("2026-04-10", "2026-05-10", 3000),
        ("2026-05-10", "2026-06-10", 3000),
        ("2026-06-10", "2026-07-10", 3000),
    ]


def test_in_arrears_days_served_are_billed(context: Context, make: Factory) -> None:
    owner = make.subscriber(CREATED, profile=ARREARS, plan=MONTH_PLAN)
    with pytest.raises(InvalidInput, match="at most 2026-04-03"):
        on_demand.bill_customer(context, owner.customer_id, APRIL_2, date(2026, 4, 4))
    on_demand.bill_customer(context, owner.customer_id, APRIL_2, date(2026, 4, 3))
    bill_run.run(context, datetime(2026, 5, 1, 6, tzinfo=UTC))
    # 24 and 7 of 31 days.
    assert cycles(context, owner) == [
        ("2026-03-10", "2026-04-03", 2323),
        ("2026-04-03", "2026-04-10", 677),
    ]


def test_what_cannot_be_billed_is_refused(context: Context, make: Factory) -> None:
    owner = make.subscriber(CREATED, profile=MONTHLY, plan=MONTH_PLAN)
    with pytest.raises(Refused, match="give the days and the amount"):
        on_demand.bill_customer(context, owner.customer_id, APRIL_2)
    with pytest.raises(NotFound):
        on_demand.bill_customer(context, 10**9, APRIL_2)
    other = make.subscriber(CREATED, profile=AHEAD, plan=MONTH_PLAN)
    with pytest.raises(InvalidInput, match="400 days ahead"):
        on_demand.bill_customer(context, other.customer_id, APRIL_2, date(2027, 6, 10))

"""Time and data of months that are billed in arrears: there from a cycle's first second, once a
cycle, whenever the bill comes (rules B6, B7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from billing.model.profile import BillIn
from billing.services import bill_run, books, holds, moves
from billing.services.context import Context
from billing.store import tables
from tests.factories import DAILY, MONTH_PLAN, MONTHLY, Factory, Subscriber

GB = 10**9
PLAN = replace(MONTH_PLAN, price_micros=30_000_000, octets=100 * GB)
ARREARS = replace(MONTHLY, cycle_day=10, automatic_bill=True, bill_in=BillIn.ARREARS)
CREATED = datetime(2026, 3, 18, 12, tzinfo=UTC)


def on(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    yield
    assert books.check_ledger(context, CREATED).findings == ()


def packages(
    context: Context, owner: Subscriber
) -> list[tuple[datetime | None, datetime | None, bool]]:
    """From, until, whether it was ended before."""
    package = tables.Entitlement
    with context.transaction() as tx:
        rows = tx.scalars(
            select(package)
            .where(package.customer_id == owner.customer_id)
            .order_by(package.entitlement_id)
        )
        return [(row.valid_from, row.valid_until, row.ended_at is not None) for row in rows]


def issued(context: Context, owner: Subscriber) -> int:
    bill = tables.Invoice
    with context.transaction() as tx:
        return len(list(tx.scalars(select(bill).where(bill.customer_id == owner.customer_id))))


@pytest.mark.rule("B6")
@pytest.mark.rule("B7")
def test_a_package_comes_once_a_cycle_and_before_its_bill(context: Context, make: Factory) -> None:
    owner = make.subscriber(CREATED, profile=ARREARS, plan=PLAN)
    first = (CREATED, on(4, 10), False)
    assert packages(context, owner) == [first]
    for now in (on(4, 1, 1), on(4, 8, 23)):
        bill_run.run(context, now)
        assert packages(context, owner) == [first]
    for now in (on(4, 9), on(4, 9, 1), on(4, 10, 1), on(5, 1, 1)):
        bill_run.run(context, now)
        assert packages(context, owner) == [first, (on(4, 10), on(5, 10), False)]
    assert issued(context, owner) == 1
    # After downtime: the bill of every cycle that has ended, the package of the one that runs.
    bill_run.run(context, on(7, 20))
    assert packages(context, owner)[2:] == [(on(7, 10), on(8, 10), False)]
    assert issued(context, owner) == 3


@pytest.mark.rule("M3")
def test_a_package_holds_from_local_midnight_on(context: Context, make: Factory) -> None:
    with context.transaction() as tx:
        tx.execute(text("UPDATE operator SET time_zone = 'Europe/Madrid'"))
    try:
        owner = make.subscriber(CREATED, profile=ARREARS, plan=PLAN)
        bill_run.run(context, on(4, 8, 21))
        assert packages(context, owner) == [(CREATED, on(4, 9, 22), False)]
        bill_run.run(context, on(4, 8, 22))
        assert packages(context, owner)[1:] == [(on(4, 9, 22), on(5, 9, 22), False)]
    finally:
        with context.transaction() as tx:
            tx.execute(text("UPDATE operator SET time_zone = 'UTC'"))


@pytest.mark.rule("B7")
def test_who_is_closed_gets_none(context: Context, make: Factory) -> None:
    owner = make.subscriber(CREATED, profile=ARREARS, plan=PLAN)
    holds.close(context, owner.subscription_id, on(4, 5))
    bill_run.run(context, on(4, 10, 1))
    assert len(packages(context, owner)) == 1


@pytest.mark.rule("B14")
def test_under_another_profile_days_have_one_package(context: Context, make: Factory) -> None:
    owner = make.subscriber(CREATED, profile=ARREARS, plan=PLAN)
    advance = make.profile(CREATED, replace(ARREARS, bill_in=BillIn.ADVANCE, cycle_day=15))
    moves.change_profile(context, owner.customer_id, advance, on(3, 20, 12))
    bill_run.run(context, on(4, 1, 1))
    # 18 March to 15 April is billed; the package of 18 March holds to 10 April.
    assert packages(context, owner) == [
        (CREATED, on(4, 10), False),
        (on(4, 10), on(4, 15), False),
        (on(4, 15), on(5, 15), False),
    ]


@pytest.mark.rule("B14")
@pytest.mark.parametrize("day", [2, 9])
def test_under_a_daily_profile_it_ends_with_the_last_day_billed(
    context: Context, make: Factory, day: int
) -> None:
    owner = make.subscriber(CREATED, profile=ARREARS, plan=PLAN)
    bill_run.run(context, on(4, day, 1))
    daily, plan = make.profile(CREATED, DAILY), make.plan(CREATED)
    moves.change_profile(context, owner.customer_id, daily, on(4, day, 12), plan_id=plan)
    found = packages(context, owner)
    assert found[0] == (CREATED, on(4, day + 1), False)
    assert [ended for _, _, ended in found[1:]] == [True] * (day == 9)

"""The bill run on a real database: every bill once, whatever happens (rules B6, B7, B11)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from sqlalchemy import select, update

from billing.model.bills import BillPreview, Parked
from billing.model.commerce import MoneyChannel
from billing.model.profile import BillIn, Payment
from billing.services import bill_run, books, catalog, explain, sales
from billing.services.context import Context
from billing.store import tables
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber

THIRTY = replace(MONTH_PLAN, price_micros=30_000_000)
TENTH = replace(MONTHLY, cycle_day=10, automatic_bill=True)
CREATED = datetime(2026, 3, 18, 12, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, 0, 11, tzinfo=UTC)


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    yield
    assert books.check_ledger(context, APRIL).findings == ()


def _bills(context: Context, owner: Subscriber) -> list[tuple[date | None, date | None, int, date]]:
    """From, until, total, payment date; in the order of their numbers."""
    bill = tables.Invoice
    with context.transaction() as tx:
        rows = tx.scalars(
            select(bill).where(bill.customer_id == owner.customer_id).order_by(bill.invoice_id)
        )
        return [(row.cycle_from, row.cycle_until, row.total_micros, row.due_on) for row in rows]


def _customer(make: Factory, now: datetime = CREATED, **switches: object) -> Subscriber:
    return make.subscriber(now, profile=replace(TENTH, **switches), plan=THIRTY)


def _pay(context: Context, owner: Subscriber, amount_micros: int) -> None:
    sales.topup(
        context,
        owner.customer_id,
        amount_micros,
        channel=MoneyChannel.CASH,
        idempotency_key="fund",
        now=CREATED,
    )


@pytest.mark.rule("B11")
def test_a_new_customer_is_billed_at_creation_and_then_on_day_one(
    context: Context, make: Factory
) -> None:
    owner = _customer(make)
    first = (date(2026, 3, 18), date(2026, 4, 10), 22_260_000, date(2026, 3, 28))
    assert _bills(context, owner) == [first]
    assert bill_run.run(context, datetime(2026, 3, 31, 23, tzinfo=UTC)).issued == 0
    report = bill_run.run(context, APRIL)
    assert (report.issued, report.total_micros, report.parked) == (1, 30_000_000, ())
    assert _bills(context, owner) == [
        first,
        (date(2026, 4, 10), date(2026, 5, 10), 30_000_000, date(2026, 4, 11)),
    ]
    assert bill_run.run(context, APRIL).issued == 0


@pytest.mark.rule("B12")
def test_cycles_that_end_with_the_month_begin_with_the_days_left(
    context: Context, make: Factory
) -> None:
    owner = _customer(make, cycle_day=1, cycle_ends_with_month=True)
    assert _bills(context, owner)[0][:3] == (date(2026, 3, 18), date(2026, 4, 1), 13_550_000)


@pytest.mark.rule("B7")
def test_after_months_without_a_run_every_cycle_is_billed_once_in_order(
    context: Context, make: Factory
) -> None:
    owner = _customer(make)
    july = datetime(2026, 7, 3, 5, tzinfo=UTC)
    listed = [
        (one.first_day, one.next_first_day)
        for one in bill_run.preview(context, july)
        if isinstance(one, BillPreview) and one.customer_id == owner.customer_id
    ]
    assert len(_bills(context, owner)) == 1
    bill_run.run(context, july)
    cycles = [bill[:2] for bill in _bills(context, owner)]
    assert cycles[1:] == listed
    assert cycles[1] == (date(2026, 4, 10), date(2026, 5, 10))
    assert cycles[-1] == (date(2026, 7, 10), date(2026, 8, 10))
    assert all(first[1] == second[0] for first, second in pairwise(cycles))


@pytest.mark.rule("B7")
def test_in_arrears_a_cycle_is_billed_when_it_has_ended(context: Context, make: Factory) -> None:
    owner = _customer(make, bill_in=BillIn.ARREARS, payment=Payment.POSTPAID)
    assert _bills(context, owner) == []
    bill_run.run(context, APRIL)
    assert _bills(context, owner) == []
    bill_run.run(context, datetime(2026, 5, 1, 1, tzinfo=UTC))
    assert [bill[:3] for bill in _bills(context, owner)] == [
        (date(2026, 3, 18), date(2026, 4, 10), 22_260_000)
    ]


@pytest.mark.rule("B7")
def test_issuing_settles_from_free_credit_first(context: Context, make: Factory) -> None:
    owner = _customer(make)
    _pay(context, owner, 40_000_000)
    bill_run.run(context, APRIL)
    with context.transaction() as tx:
        rows = tx.scalars(
            select(tables.Invoice)
            .where(tables.Invoice.customer_id == owner.customer_id)
            .order_by(tables.Invoice.invoice_id)
        )
        assert [row.paid_micros for row in rows] == [22_260_000, 17_740_000]


@pytest.mark.rule("B9")
def test_an_unpaid_bill_of_the_run_suspends(context: Context, make: Factory) -> None:
    owner = _customer(make, automatic_suspend=True, suspended_pool="walled")
    _pay(context, owner, 22_260_000)
    bill_run.run(context, APRIL)
    states = [
        explain.why(context, owner.subscription_id, datetime(2026, 4, day, 12, tzinfo=UTC)).state
        for day in (11, 12)
    ]
    assert [state.rule for state in states] == ["S8", "S5"]


@pytest.mark.rule("B7")
def test_who_was_there_before_is_billed_from_the_next_cycle_on(
    context: Context, make: Factory
) -> None:
    owner = _customer(make, datetime(2025, 3, 18, 12, tzinfo=UTC), automatic_bill=False)
    with context.transaction() as tx:
        profile_id = tx.get_one(tables.Customer, owner.customer_id).profile_id
    profile = catalog.get_profile(context, profile_id).profile
    catalog.update_profile(context, profile_id, replace(profile, automatic_bill=True), CREATED)
    bill_run.run(context, CREATED)
    assert _bills(context, owner) == []
    bill_run.run(context, APRIL)
    assert [bill[:2] for bill in _bills(context, owner)] == [(date(2026, 4, 10), date(2026, 5, 10))]


@pytest.mark.rule("B6")
def test_a_cycle_brings_its_data(context: Context, make: Factory) -> None:
    plan = replace(THIRTY, octets=10**11)
    owner = make.subscriber(CREATED, profile=TENTH, plan=plan)
    bill_run.run(context, APRIL)
    package = tables.Entitlement
    with context.transaction() as tx:
        rows = tx.scalars(
            select(package)
            .where(package.customer_id == owner.customer_id)
            .order_by(package.entitlement_id)
        )
        assert [(row.valid_from, row.valid_until, row.octets_left) for row in rows] == [
            (CREATED, datetime(2026, 4, 10, tzinfo=UTC), 10**11),
            (datetime(2026, 4, 10, tzinfo=UTC), datetime(2026, 5, 10, tzinfo=UTC), 10**11),
        ]


@pytest.mark.rule("B7")
def test_a_customer_that_fails_is_parked_and_the_others_are_billed(
    context: Context, make: Factory
) -> None:
    broken, sound = _customer(make), _customer(make)
    _set_currency(context, broken, "EUR")
    troubled = [one for one in bill_run.preview(context, APRIL) if isinstance(one, Parked)]
    assert [one.customer_id for one in troubled] == [broken.customer_id]
    report = bill_run.run(context, APRIL)
    assert [one.customer_id for one in report.parked] == [broken.customer_id]
    assert (len(_bills(context, broken)), len(_bills(context, sound))) == (1, 2)
    assert [one.customer_id for one in bill_run.parked(context)] == [broken.customer_id]
    assert "currencies do not mix" in report.parked[0].problem
    _set_currency(context, broken, "USD")
    assert bill_run.run(context, APRIL).issued == 1
    assert bill_run.parked(context) == []


def _set_currency(context: Context, owner: Subscriber, currency: str) -> None:
    wallet = tables.Wallet
    with context.transaction() as tx:
        tx.execute(
            update(wallet).where(wallet.customer_id == owner.customer_id).values(currency=currency)
        )

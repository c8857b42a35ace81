"""Charges and discounts from the desk to the bill (rules I1, B7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.charges import ChargeKind, Extra
from billing.services import bill_run, books, charges, credits
from billing.services.context import Context
from billing.store import tables
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber

JOINED = datetime(2026, 3, 10, 8, tzinfo=UTC)
APRIL_RUN, MAY_RUN = (datetime(2026, month, 1, 6, tzinfo=UTC) for month in (4, 5))
BILLED = replace(
    MONTHLY, cycle_day=10, automatic_bill=True, tax_rate_ppm=210_000, tax_inclusive=True
)


@pytest.fixture(autouse=True)
def books_agree(context: Context):
    yield
    assert books.check_ledger(context, MAY_RUN).findings == ()


@pytest.fixture
def who(make: Factory) -> Subscriber:
    return make.subscriber(JOINED, profile=BILLED, plan=MONTH_PLAN)


def add(context: Context, who: Subscriber, kind: ChargeKind, **more: object) -> Extra:
    return charges.add_charge(
        context,
        who.subscription_id,
        kind,
        f"a {kind}",
        JOINED,
        **more,  # type: ignore[arg-type]
    )


def lines(context: Context, who: Subscriber) -> list[list[tuple[str, int]]]:
    """Text and net micros of each bill's lines."""
    with context.transaction() as tx:
        bills = tx.query(tables.Invoice).filter_by(customer_id=who.customer_id)
        return [
            [
                (line.text, line.amount_micros)
                for line in tx.query(tables.InvoiceLine)
                .filter_by(customer_id=who.customer_id, invoice_id=bill.invoice_id)
                .order_by(tables.InvoiceLine.line)
            ]
            for bill in bills.order_by(tables.Invoice.invoice_id)
        ]


def totals(context: Context, who: Subscriber) -> list[tuple[int, int]]:
    with context.transaction() as tx:
        bills = tx.query(tables.Invoice).filter_by(customer_id=who.customer_id)
        rows = bills.order_by(tables.Invoice.invoice_id)
        return [(row.total_micros // 10**4, row.tax_micros // 10**4) for row in rows]


def last_bill(context: Context, who: Subscriber) -> str:
    with context.transaction() as tx:
        bills = tx.query(tables.Invoice).filter_by(customer_id=who.customer_id)
        return bills.order_by(tables.Invoice.invoice_id.desc()).first().number


@pytest.mark.rule("I1")
def test_the_next_bills_carry_what_was_agreed(context: Context, who: Subscriber) -> None:
    add(context, who, ChargeKind.RECURRING, price_micros=6_200_000)
    add(context, who, ChargeKind.ONE_OFF, price_micros=40_000_000)
    add(context, who, ChargeKind.DISCOUNT, discount_ppm=100_000, ends_on=date(2026, 5, 10))
    bill_run.run(context, APRIL_RUN)
    bill_run.run(context, APRIL_RUN)
    bill_run.run(context, MAY_RUN)
    # April: 30.00 + 12.40 (two cycles) + 40.00 − 3.00, with 21 % in it; May: 30.00 + 6.20.
    assert totals(context, who) == [(3000, 521), (7940, 1378), (3620, 628)]
    texts = [[text for text, _ in bill] for bill in lines(context, who)]
    assert [len(bill) for bill in texts] == [1, 4, 2]
    assert texts[1][1:] == [
        "a recurring, 2026-03-10 to 2026-05-10",
        "a one_off",
        "a discount",
    ]


@pytest.mark.rule("I1")
@pytest.mark.rule("B7")
def test_days_of_downtime_bill_each_charge_once(context: Context, who: Subscriber) -> None:
    add(context, who, ChargeKind.RECURRING, price_micros=6_200_000)
    add(context, who, ChargeKind.ONE_OFF, price_micros=40_000_000)
    bill_run.run(context, MAY_RUN)
    assert [total for total, _ in totals(context, who)] == [3000, 8240, 3620]


@pytest.mark.rule("I2")
def test_a_bill_that_is_credited_stays_billed(context: Context, who: Subscriber) -> None:
    add(context, who, ChargeKind.ONE_OFF, price_micros=40_000_000)
    bill_run.run(context, APRIL_RUN)
    credits.credit(
        context, last_bill(context, who), reason="a gift", idempotency_key="1", now=APRIL_RUN
    )
    bill_run.run(context, APRIL_RUN)
    assert [total for total, _ in totals(context, who)] == [3000, 7000]


@pytest.mark.rule("I2")
def test_what_a_void_bill_held_is_billed_again(context: Context, who: Subscriber) -> None:
    add(context, who, ChargeKind.ONE_OFF, price_micros=40_000_000)
    bill_run.run(context, APRIL_RUN)
    credits.credit(
        context, last_bill(context, who), reason="a mistake", idempotency_key="1", now=APRIL_RUN,
        void=True,
    )  # fmt: skip
    bill_run.run(context, APRIL_RUN)
    assert [total for total, _ in totals(context, who)] == [3000, 7000, 7000]


@pytest.mark.rule("I1")
def test_a_free_plan_is_billed_for_its_charges_only(context: Context, make: Factory) -> None:
    free = replace(MONTH_PLAN, price_micros=0)
    who = make.subscriber(JOINED, profile=BILLED, plan=free)
    bill_run.run(context, APRIL_RUN)
    assert totals(context, who) == []
    add(context, who, ChargeKind.RECURRING, price_micros=6_200_000, starts_on=date(2026, 4, 10))
    bill_run.run(context, APRIL_RUN)
    bill_run.run(context, APRIL_RUN)
    assert [total for total, _ in totals(context, who)] == [620]


@pytest.mark.rule("I1")
def test_it_ends_when_it_is_said_and_not_before_what_is_billed(
    context: Context, who: Subscriber
) -> None:
    extra = add(context, who, ChargeKind.RECURRING, price_micros=6_200_000)
    bill_run.run(context, APRIL_RUN)
    with pytest.raises(InvalidInput, match="the earliest is 2026-05-10") as refused:
        charges.end_charge(
            context, who.subscription_id, extra.charge_id, date(2026, 4, 20), APRIL_RUN
        )
    assert refused.value.field == "on"
    ended = charges.end_charge(
        context, who.subscription_id, extra.charge_id, date(2026, 5, 20), APRIL_RUN
    )
    assert (ended.ends_on, ended.billed_until) == (date(2026, 5, 20), date(2026, 5, 10))
    bill_run.run(context, MAY_RUN)
    # 10 of 31 days (10 May to 10 June).
    assert totals(context, who)[-1][0] == 3200
    assert [one.charge_id for one in charges.charges_of(context, who.subscription_id)] == [
        extra.charge_id
    ]


@pytest.mark.rule("I1")
def test_charges_that_make_no_sense_are_refused_with_the_field(
    context: Context, make: Factory, who: Subscriber
) -> None:
    cases: list[tuple[str, ChargeKind, dict[str, object]]] = [
        ("price", ChargeKind.RECURRING, {}),
        ("price", ChargeKind.ONE_OFF, {"price_micros": -1}),
        ("percent", ChargeKind.DISCOUNT, {}),
        ("percent", ChargeKind.DISCOUNT, {"discount_ppm": 1_000_001}),
        ("percent", ChargeKind.RECURRING, {"price_micros": 10**6, "discount_ppm": 1}),
        ("price", ChargeKind.DISCOUNT, {"price_micros": 10**6, "discount_ppm": 1}),
        ("ends_on", ChargeKind.DISCOUNT, {"discount_ppm": 1, "ends_on": date(2026, 3, 10)}),
    ]
    for field, kind, more in cases:
        with pytest.raises(InvalidInput) as refused:
            add(context, who, kind, **more)
        assert refused.value.field == field, more
    daily = make.subscriber(JOINED)
    with pytest.raises(Refused, match="no bills automatically"):
        add(context, daily, ChargeKind.RECURRING, price_micros=10**6)
    with pytest.raises(NotFound, match="no charge"):
        charges.end_charge(context, who.subscription_id, 999, date(2026, 4, 20), JOINED)

"""Manual funding: a prepayment invoice each month, credited when it is paid (rule P5)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from billing.errors import InvalidInput, Refused
from billing.jobs.registry import JOBS
from billing.model.commerce import MoneyChannel
from billing.services import auto_recharge, books, customers, messages, prepayments
from billing.services.context import Context
from rig.provider import Provider
from tests.factories import Factory, Subscriber
from tests.integration.talker import UNIT
from tests.integration.till import Till

MARCH = datetime(2026, 3, 20, 9, tzinfo=UTC)
APRIL, JULY = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 7, 15, 9, tzinfo=UTC)


@pytest.fixture
def ada(context: Context, make: Factory) -> Subscriber:
    """Asked for 30.00 a month."""
    who = make.subscriber(MARCH)
    messages.set_alerts(context, who.customer_id, MARCH, addresses=["ada@net.example"])
    prepayments.set_up(context, who.customer_id, 30 * UNIT, now=MARCH)
    return who


def months(context: Context, who: Subscriber) -> list[tuple[str, str]]:
    """Oldest first, each with its state."""
    found = prepayments.invoices_of(context, who.customer_id)
    return [(f"{one.month:%Y-%m}", one.state) for one in reversed(found)]


def number(context: Context, who: Subscriber) -> str:
    """Of the newest."""
    return prepayments.invoices_of(context, who.customer_id)[0].number


def available(context: Context, who: Subscriber) -> int:
    return customers.get_customer(context, who.customer_id).wallets[0].available_micros // UNIT


@pytest.mark.rule("P5")
def test_each_month_is_asked_for_once(context: Context, ada: Subscriber) -> None:
    asked = [one for one, _ in prepayments.preview(context, MARCH)]
    assert ada.customer_id in asked and months(context, ada) == []
    for _ in range(2):
        prepayments.run(context, MARCH)
    assert list(prepayments.preview(context, MARCH)) == []
    prepayments.run(context, APRIL - timedelta(seconds=1))
    assert months(context, ada) == [("2026-03", "open")]
    prepayments.run(context, APRIL)
    prepayments.run(context, JULY)  # nobody prepays May and June any more
    assert months(context, ada) == [("2026-03", "open"), ("2026-04", "open"), ("2026-07", "open")]
    assert available(context, ada) == 0
    assert books.check_ledger(context, JULY).findings == ()


@pytest.mark.rule("P5")
def test_it_is_credited_when_it_is_paid_and_once(context: Context, ada: Subscriber) -> None:
    prepayments.run(context, MARCH)

    def pay(key: str) -> None:
        prepayments.pay(
            context,
            number(context, ada),
            MoneyChannel.BANK_TRANSFER,
            idempotency_key=key,
            now=MARCH + timedelta(days=3),
        )

    assert available(context, ada) == 0
    pay("one")
    pay("one")
    assert available(context, ada) == 30
    with pytest.raises(Refused, match="paid already"):
        pay("two")
    assert months(context, ada) == [("2026-03", "paid")]
    assert books.check_ledger(context, MARCH).findings == ()


def test_the_customer_is_told(context: Context, ada: Subscriber) -> None:
    prepayments.run(context, MARCH)
    (told,) = [
        one
        for one in messages.listed(context, customer_id=ada.customer_id)
        if one.kind == "prepayment_due"
    ]
    assert told.addresses == ("ada@net.example",)
    (view,) = prepayments.invoices_of(context, ada.customer_id)
    assert f"{view.due_on}" == "2026-04-03"


def test_runs_at_once_ask_once(context: Context, make: Factory) -> None:
    people = [make.subscriber(MARCH) for _ in range(20)]
    for who in people:
        prepayments.set_up(context, who.customer_id, 10 * UNIT, now=MARCH)
    threads = [threading.Thread(target=prepayments.run, args=(context, MARCH)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {tuple(months(context, who)) for who in people} == {(("2026-03", "open"),)}
    assert books.check_ledger(context, MARCH).findings == ()
    assert JOBS["prepayments"].run(context, MARCH) == ""


@pytest.mark.rule("P5")
def test_a_wallet_is_funded_in_one_way(context: Context, make: Factory, ada: Subscriber) -> None:
    prepayments.run(context, MARCH)
    with Provider().serving() as provider:
        till = Till(context, make, provider, MARCH)
        method_id = till.method(ada)

        def automatic() -> None:
            auto_recharge.set_up(
                context,
                ada.customer_id,
                method_id=method_id,
                threshold_micros=UNIT,
                amount_micros=5 * UNIT,
                now=MARCH,
            )

        automatic()
        assert months(context, ada) == [("2026-03", "cancelled")]
        assert prepayments.settings(context, ada.customer_id) == []
        prepayments.set_up(context, ada.customer_id, 30 * UNIT, now=MARCH)
        assert auto_recharge.settings(context, ada.customer_id) == []


def test_what_is_stopped_is_not_asked_for(context: Context, ada: Subscriber) -> None:
    prepayments.run(context, MARCH)
    prepayments.stop(context, ada.customer_id, MARCH)
    prepayments.run(context, APRIL)
    assert months(context, ada) == [("2026-03", "cancelled")]
    with pytest.raises(Refused):
        prepayments.stop(context, ada.customer_id, MARCH)
    with pytest.raises(Refused, match="cancelled"):
        prepayments.pay(
            context, number(context, ada), MoneyChannel.CASH, idempotency_key="late", now=MARCH
        )


@pytest.mark.parametrize(("units", "days"), [(0, 14), (-1, 14), (10, -1), (10, 61)])
def test_what_cannot_be_set(context: Context, ada: Subscriber, units: int, days: int) -> None:
    with pytest.raises(InvalidInput):
        prepayments.set_up(context, ada.customer_id, units * UNIT, now=MARCH, due_days=days)

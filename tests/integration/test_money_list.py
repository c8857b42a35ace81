"""All money that came in, in one list, and what each amount paid (rule P1)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pytest

from billing.errors import InvalidInput, NotFound
from billing.model.commerce import MoneyChannel
from billing.model.money_in import RECEIVED, MoneyIn, MoneyPlace
from billing.model.payments import PaymentState
from billing.services import bills, money_list, payments, sales
from billing.services.context import Context
from billing.settings import Settings
from billing.store.pool import Database
from rig.provider import Provider
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.talker import UNIT
from tests.integration.till import Till

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
DAY = timedelta(days=1)
_keys = count(1)


@pytest.fixture
def till(context: Context, make: Factory) -> Iterator[Till]:
    with Provider().serving() as provider:
        yield Till(context, make, provider, NOW)


def take(
    till: Till,
    who: Subscriber,
    units: int,
    at: datetime = NOW,
    by: MoneyChannel = MoneyChannel.CASH,
    reference: str | None = None,
) -> str:
    """The receipt's number."""
    receipt = sales.topup(
        till.context,
        who.customer_id,
        units * UNIT,
        channel=by,
        idempotency_key=f"take {next(_keys)}",
        now=at,
        reference=reference,
    )
    return receipt.receipt_number or ""


def found(till: Till, who: Subscriber | None = None, **wanted: object) -> list[tuple[str, int]]:
    """State and units."""
    customer_id = who.customer_id if who else None
    page = money_list.search(till.context, customer_id=customer_id, **wanted)  # type: ignore[arg-type]
    return [(one.state, one.amount_micros // UNIT) for one in page.rows]


@pytest.mark.rule("P1")
def test_both_kinds_stand_in_one_list_and_each_once(till: Till) -> None:
    who = till.customer()
    till.pay(who, 10)
    till.now += DAY
    till.pay(who, 20, card="hard")
    take(till, who, 5, NOW + 2 * DAY)
    assert found(till, who) == [("received", 5), ("failed", 20), ("succeeded", 10)]
    paid = money_list.search(till.context, customer_id=who.customer_id).rows[2]
    assert (paid.channel, paid.purpose, paid.back_micros) == ("card", "top_up", 0)
    assert paid.receipt_number and paid.attempt_id and paid.gateway.startswith("till")
    assert found(till, who, states=[RECEIVED]) == [("received", 5)]
    assert found(till, who, states=[PaymentState.FAILED, RECEIVED]) == [
        ("received", 5),
        ("failed", 20),
    ]
    assert found(till, who, channel="card") == [("failed", 20), ("succeeded", 10)]
    assert found(till, who, channel="cash") == [("received", 5)]


@pytest.mark.rule("M3")
def test_a_day_is_local_and_begins_with_its_first_instant(till: Till) -> None:
    who = till.customer()
    day = date(2026, 3, 22)
    first = datetime(2026, 3, 22, tzinfo=UTC)
    for units, at in ((1, first - timedelta(microseconds=1)), (2, first), (4, first + DAY)):
        take(till, who, units, at)
    assert found(till, who, day=day) == [("received", 2)]
    till.now = first
    till.begin(who, 8)
    assert sorted(found(till, who, day=day)) == [("created", 8), ("received", 2)]


def test_it_is_searched_by_what_people_have_in_hand(till: Till) -> None:
    who = till.customer()
    receipt = take(till, who, 3, reference="Slip 77/A of the branch")
    made = till.pay(who, 9)
    assert found(till, text=receipt.lower()) == [("received", 3)]
    assert found(till, who, text="slip 77/a") == [("received", 3)]
    for text in (made.key, made.provider_ref or "", f" {made.attempt_id} "):
        assert ("succeeded", 9) in found(till, who, text=text), text
    assert len(found(till, text=str(who.customer_id), who=who)) == 2
    assert len(found(till, text=made.customer_name.upper(), who=who)) == 2
    assert found(till, who, text="nobody's") == []
    assert found(till, who, text="9" * 30) == []
    with pytest.raises(InvalidInput):
        money_list.search(till.context, text="x" * 201)
    with pytest.raises(InvalidInput):
        money_list.search(till.context, text="a\0b")
    with pytest.raises(InvalidInput):
        money_list.search(till.context, limit=0)


def test_pages_follow_on_whatever_the_instants(till: Till) -> None:
    who = till.customer()
    # Three of each kind at one instant: the place tells them apart.
    for units in (1, 2, 3):
        take(till, who, units)
        till.begin(who, 10 * units)
    whole = money_list.search(till.context, customer_id=who.customer_id).rows
    assert len(whole) == 6
    for size in (1, 2, 4):
        seen: list[MoneyIn] = []
        before: MoneyPlace | None = None
        while True:
            page = money_list.search(
                till.context, customer_id=who.customer_id, before=before, limit=size
            )
            seen += page.rows
            if page.next_before is None:
                break
            before = MoneyPlace.parse(str(page.next_before))
        assert seen == list(whole), size


@pytest.mark.parametrize(
    "text", ["", "x", "2026-03-20_1", "2026-03-20T09:00:00_1_5", "2026-03-20T09:00:00+00:00_1_-5"]
)
def test_a_place_that_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        MoneyPlace.parse(text)


@pytest.mark.rule("I4")
def test_what_an_amount_paid(till: Till) -> None:
    who = till.make.subscriber(NOW, profile=MONTHLY, plan=MONTH_PLAN)
    first, second = (
        bills.issue_bill(
            till.context,
            who.subscription_id,
            cycle_from=date(2026, month, 1),
            cycle_until=date(2026, month + 1, 1),
            amount_micros=30 * UNIT,
            now=NOW,
        ).number
        for month in (3, 4)
    )
    till.now += DAY
    paid = till.pay(who, 40)
    assert paid.payment_id is not None
    used = money_list.used(till.context, who.customer_id, paid.payment_id)
    assert used.bills == ((first, 30 * UNIT), (second, 10 * UNIT))
    assert (used.rest_micros, used.currency) == (0, "USD")
    assert used.receipt_number
    till.now += DAY
    more = till.pay(who, 25)
    used = money_list.used(till.context, who.customer_id, more.payment_id or 0)
    assert (used.bills, used.rest_micros) == (((second, 20 * UNIT),), 5 * UNIT)
    with pytest.raises(NotFound):
        money_list.used(till.context, who.customer_id, 10**9)


def test_what_went_back_is_told(till: Till) -> None:
    who = till.customer()
    made = till.pay(who, 10)
    till.refund(made, 4)
    till.work()
    (row,) = money_list.search(till.context, customer_id=who.customer_id).rows
    assert (row.state, row.back_micros) == ("partly_refunded", 4 * UNIT)
    (refund,) = payments.history(till.context, made.attempt_id).reversals
    assert refund.requested_by == till.context.actor


def test_the_panels_role_sees_its_own_organisations_money(till: Till, settings: Settings) -> None:
    who = till.customer()
    till.pay(who, 10)
    take(till, who, 5)
    with closing(Database(settings.dsn("panel"))) as panel:
        staff = replace(till.context, db=panel, org_ids=(1,))
        rows = money_list.search(staff, customer_id=who.customer_id).rows
        assert len(rows) == 2
        payment_id = payments.history(staff, rows[0].attempt_id or 0).payment.payment_id
        assert money_list.used(staff, who.customer_id, payment_id or 0).rest_micros == 10 * UNIT
        stranger = replace(staff, org_ids=(10**6,), home_org_id=10**6)
        assert money_list.search(stranger, customer_id=who.customer_id).rows == ()

"""Cash is taken in a cashier's shift, and counted blindly (rule R4)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import count

import psycopg
import pytest

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.shifts import ShiftView
from billing.services import books, reseller_money, sales, shifts, voucher_sales
from billing.services.context import Context
from billing.services.voucher_sales import Range
from billing.settings import Settings
from tests.factories import DAY_PLAN, Factory
from tests.integration.reseller_world import opened
from tests.integration.voucher_desk import NOW, UNIT, Desk

pytestmark = pytest.mark.rule("R4")
EVENING = NOW + timedelta(hours=8)
_numbers = count(1)


@pytest.fixture
def till(context: Context) -> Iterator[Context]:
    """A cashier; the books agree after each test."""
    yield replace(context, actor=f"cashier:{next(_numbers)}")
    assert books.check_ledger(context, NOW).findings == ()


def _topup(
    cashier: Context, customer_id: int, cents: int, channel: MoneyChannel = MoneyChannel.CASH
) -> None:
    sales.topup(
        cashier,
        customer_id,
        cents * 10_000,
        channel=channel,
        idempotency_key=f"topup {next(_numbers)}",
        now=NOW,
    )


def _close(cashier: Context, shift: ShiftView, cents: int, **options: str) -> ShiftView:
    return shifts.close(cashier, shift.shift_id, cents * 10_000, EVENING, **options)


def test_the_difference_is_told_after_the_count_and_kept(till: Context, make: Factory) -> None:
    who = make.subscriber(NOW)
    shift = shifts.start(till, 100 * UNIT, NOW)
    _topup(till, who.customer_id, 30_00)
    _topup(till, who.customer_id, 5_50)
    _topup(till, who.customer_id, 20_00, MoneyChannel.CARD)
    before = shifts.show(till, shift.shift_id)
    assert (before.expected_micros, before.difference_micros, before.lines) == (None, None, ())
    closed = _close(till, shift, 135_00, note="a coin fell behind the desk")
    assert closed.expected_micros == 135_500_000
    assert closed.difference_micros == -500_000
    assert [(one.channel, one.count, one.in_micros) for one in closed.lines] == [
        ("card", 1, 20_000_000),
        ("cash", 2, 35_500_000),
    ]
    assert shifts.show(till, shift.shift_id) == closed
    with pytest.raises(Refused, match="closed on"):
        _close(till, shift, 135_50)


def test_sales_vouchers_and_what_is_given_back_are_in_it(till: Context, make: Factory) -> None:
    who, desk = make.subscriber(NOW), Desk(till, make)
    shift = shifts.start(till, 0, NOW)
    sales.sell(
        till,
        who.subscription_id,
        make.plan(NOW, DAY_PLAN),
        idempotency_key="package",
        now=NOW,
        pay_by=MoneyChannel.CASH,
    )
    batch = desk.batch(3)
    desk.codes(batch)
    desk.activate(batch)
    one = Range(batch_id=batch.batch_id, first=batch.first_serial, last=batch.first_serial)
    voucher_sales.revoke(till, one, NOW, refund=True, refund_by=MoneyChannel.CASH)
    (cash,) = _close(till, shift, 0).lines
    assert cash.in_micros == DAY_PLAN.price_micros + 30 * UNIT
    assert (cash.out_micros, cash.count) == (10 * UNIT, 3)


def test_what_others_take_or_takes_no_shift_is_not_in_it(
    till: Context, make: Factory, context: Context
) -> None:
    who = make.subscriber(NOW)
    other = replace(till, actor=f"cashier:{next(_numbers)}")
    _topup(till, who.customer_id, 1_00)
    shift, theirs = shifts.start(till, 0, NOW), shifts.start(other, 10 * UNIT, NOW)
    _topup(till, who.customer_id, 2_00)
    _topup(other, who.customer_id, 4_00)
    _topup(context, who.customer_id, 8_00)
    _topup(till, who.customer_id, 16_00, MoneyChannel.ADJUSTMENT)
    assert _close(till, shift, 2_00).difference_micros == 0
    _topup(till, who.customer_id, 32_00)
    assert _close(other, theirs, 14_00).difference_micros == 0


def test_one_open_shift_a_cashier(till: Context) -> None:
    first = shifts.start(till, 0, NOW)
    with pytest.raises(Conflict, match="close it first"):
        shifts.start(till, 0, NOW)
    for step in (
        lambda: shifts.hand_over(till, first.shift_id, "the boss", EVENING),
        lambda: shifts.deposit(till, first.shift_id, "slip 1", EVENING),
    ):
        with pytest.raises(Refused, match="the shift is open"):
            step()
    _close(till, first, 0)
    second = shifts.start(till, 0, EVENING)
    assert second.shift_id > first.shift_id
    found = [one.shift_id for one in shifts.listed(till)]
    assert found.index(second.shift_id) < found.index(first.shift_id)


def test_the_money_is_handed_over_and_deposited_once(till: Context) -> None:
    shift = shifts.start(till, 5 * UNIT, NOW)
    _close(till, shift, 5_00)
    handed = shifts.hand_over(till, shift.shift_id, "the boss", EVENING)
    assert (handed.handed_to, handed.handed_at) == ("the boss", EVENING)
    with pytest.raises(Refused, match="handed to the boss already"):
        shifts.hand_over(till, shift.shift_id, "me", EVENING)
    done = shifts.deposit(till, shift.shift_id, "slip 17", EVENING)
    assert done.deposit_reference == "slip 17"
    with pytest.raises(Refused, match="slip 17 already"):
        shifts.deposit(till, shift.shift_id, "slip 18", EVENING)


def test_what_cannot_be_is_refused(till: Context) -> None:
    with pytest.raises(InvalidInput, match="0 or more"):
        shifts.start(till, -UNIT, NOW)
    shift = shifts.start(till, 0, NOW)
    with pytest.raises(InvalidInput, match="smallest coin"):
        shifts.close(till, shift.shift_id, 1, EVENING)
    with pytest.raises(NotFound):
        shifts.show(till, 999_999)


def test_money_taken_while_it_is_closed_is_in_it_or_not_at_all(
    till: Context, make: Factory
) -> None:
    """Closing waits for what is being posted; what comes later finds no shift."""
    people = [make.subscriber(NOW) for _ in range(4)]
    shift = shifts.start(till, 0, NOW)
    with ThreadPoolExecutor(5) as pool:
        taken = [pool.submit(_topup, till, one.customer_id, 1_00) for one in people * 5]
        closing = pool.submit(_close, till, shift, 0)
        for one in (*taken, closing):
            one.result()
    closed = shifts.show(till, shift.shift_id)
    assert closed.expected_micros == sum(one.in_micros for one in closed.lines)


def test_cash_from_and_to_a_reseller_is_in_it(
    till: Context, make: Factory, settings: Settings
) -> None:
    for trade in opened(till, make, settings):
        shift = shifts.start(till, 0, NOW)
        for cents in (100_00, -30_00):
            reseller_money.transfer(
                till,
                trade.parent.org_id,
                cents * 10_000,
                idempotency_key=f"{cents}",
                now=NOW,
                channel=MoneyChannel.CASH,
            )
        (cash,) = _close(till, shift, 70_00).lines
        assert (cash.in_micros, cash.out_micros) == (100 * UNIT, 30 * UNIT)


def test_a_corrupted_shift_is_found(context: Context, make: Factory, settings: Settings) -> None:
    till = replace(context, actor="cashier:corrupt")
    who = make.subscriber(NOW)
    shift = shifts.start(till, 0, NOW)
    _topup(till, who.customer_id, 7_00)
    _close(till, shift, 7_00)
    with psycopg.connect(settings.admin_dsn(settings.database_name), autocommit=True) as db:
        change = "UPDATE shift_entry SET amount_micros = amount_micros + %s WHERE shift_id = %s"
        db.execute(change, (1, shift.shift_id))
        found = {one.problem for one in books.check_ledger(context, NOW).findings}
        db.execute(change, (-1, shift.shift_id))
    assert found == {
        "money of a shift differs from its entry",
        "shift expects another amount than it took",
    }

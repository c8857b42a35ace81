"""A match that was wrong: its money is nobody's again, once (rules P1, M4, P5)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.payments import SuspenseView
from billing.services import (
    books,
    customers,
    prepayments,
    suspense,
    suspense_desk,
    suspense_undo,
    takings,
)
from billing.services.context import Context
from tests.factories import Factory, Subscriber
from tests.integration.talker import UNIT
from tests.integration.test_suspense_desk import NOW, Desk

pytestmark = pytest.mark.rule("P1", "M4")


@pytest.fixture
def desk(context: Context, make: Factory) -> Desk:
    return Desk(context, make)


def last_move(desk: Desk, number: int) -> int:
    return suspense_desk.show(desk.context, number).moves[-1].move_id


def undo(desk: Desk, number: int, **options: bool) -> SuspenseView:
    move = last_move(desk, number)
    return suspense_undo.undo(desk.context, move, "of another Ada", NOW, **options)


def wallet(desk: Desk, who: Subscriber) -> int:
    """In units."""
    found = customers.get_customer(desk.context, who.customer_id)
    return found.wallets[0].available_micros // UNIT


def test_money_that_was_matched_is_matched_to_somebody_else(desk: Desk) -> None:
    wrong, right = desk.make.subscriber(NOW), desk.make.subscriber(NOW)
    number = desk.keep(20)
    before = takings.of_day(desk.context, takings.today(desk.context, NOW))
    desk.match(number, wrong, amount_micros=15 * UNIT)
    assert (wallet(desk, wrong), undo(desk, number).left_micros) == (15, 20 * UNIT)
    assert wallet(desk, wrong) == 0
    desk.match(number, right)
    assert (wallet(desk, wrong), wallet(desk, right)) == (0, 20)
    case = suspense_desk.show(desk.context, number)
    assert [case.may_undo(move) for move in case.moves] == [False, False, True]
    # It came once, whoever it was given to.
    assert takings.of_day(desk.context, takings.today(desk.context, NOW)) == before
    assert books.check_ledger(desk.context, NOW).findings == ()


def test_a_match_is_undone_once_by_whoever_is_first(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    number = desk.keep(20)
    desk.match(number, who)
    move = last_move(desk, number)

    def tried(_: int) -> bool:
        try:
            suspense_undo.undo(desk.context, move, "twice", NOW)
        except Refused as error:
            assert "undone already" in error.message
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(tried, range(12))) == [False] * 11 + [True]
    assert wallet(desk, who) == 0
    assert books.check_ledger(desk.context, NOW).findings == ()


def test_what_is_spent_is_owed_only_where_that_is_said(desk: Desk) -> None:
    who, bill = desk.billed()
    number = desk.keep(30)
    desk.match(number, who, number=bill)
    with pytest.raises(Refused, match="may owe it"):
        undo(desk, number)
    undo(desk, number, even_if_spent=True)
    assert wallet(desk, who) == -30 and desk.open_micros(bill) == 0
    assert books.check_ledger(desk.context, NOW).findings == ()


@pytest.mark.rule("P5")
def test_a_prepayment_invoice_that_it_met_is_open_again(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    prepayments.set_up(desk.context, who.customer_id, 30 * UNIT, now=NOW)
    prepayments.run(desk.context, NOW)
    (asked,) = prepayments.invoices_of(desk.context, who.customer_id)
    number = desk.keep(30)
    desk.match(number, who, number=asked.number)
    assert prepayments.invoices_of(desk.context, who.customer_id)[0].paid_at is not None
    undo(desk, number)
    assert prepayments.invoices_of(desk.context, who.customer_id)[0].paid_at is None
    assert books.check_ledger(desk.context, NOW).findings == ()


def test_what_cannot_be_undone_says_why(desk: Desk) -> None:
    number = desk.keep(20)
    suspense.give_back(desk.context, number, note="to the bank", now=NOW)
    with pytest.raises(Refused, match="given back"):
        undo(desk, number)
    with pytest.raises(NotFound):
        suspense_undo.undo(desk.context, 2**40, "no such", NOW)
    with pytest.raises(InvalidInput, match="what was wrong"):
        suspense_undo.undo(desk.context, last_move(desk, number), " ", NOW)

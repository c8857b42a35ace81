"""Collectors take cash in the field by numbered receipts, each once, and hand it over (R4)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from time import sleep

import pytest
from sqlalchemy.exc import DBAPIError

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.collections import BookView, PaperReceipt
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.services import bills, books, collections, customers, sales, shifts
from billing.services.context import Context
from billing.settings import Settings
from billing.store import collections as store
from tests.factories import MONTH_PLAN, MONTHLY, Factory
from tests.integration.reseller_world import opened
from tests.integration.voucher_desk import NOW

pytestmark = pytest.mark.rule("R4")
EVENING = NOW + timedelta(hours=8)
UNIT = 1_000_000


@pytest.fixture
def desk(context: Context) -> Iterator[Context]:
    """A clerk; the books agree after each test."""
    yield replace(context, actor="clerk@isp.example")
    assert books.check_ledger(context, NOW).findings == ()


def _book(desk: Context, series: str, first: int = 1, last: int = 50) -> BookView:
    return collections.open_book(
        desk, f"{series}@isp.example", series=series, first=first, last=last, now=NOW
    )


def _walker(desk: Context, book: BookView) -> Context:
    return replace(desk, actor=book.collector)


def test_a_day_from_the_book_to_the_drawer(desk: Context, make: Factory) -> None:
    book, who = _book(desk, "AA"), make.subscriber(NOW)
    walker, shift = _walker(desk, book), shifts.start(desk, 10 * UNIT, NOW)
    own = shifts.start(walker, 0, NOW)
    first = collections.take(walker, book.book_id, 1, who.customer_id, 20 * UNIT, NOW)
    assert (first.text, first.repeated, first.bill_number) == ("AA1", False, None)
    assert first.receipt_number is not None
    again = collections.take(walker, book.book_id, 1, who.customer_id, 20 * UNIT, EVENING)
    assert (again.repeated, again.entered_at) == (True, NOW)
    # A paper receipt of another number is entered at the desk, and is not in that drawer.
    collections.take(desk, book.book_id, 7, who.customer_id, 5 * UNIT, NOW)
    wallet = customers.get_customer(desk, who.customer_id).wallets[0]
    assert wallet.posted_micros == 25 * UNIT
    (view,) = [one for one in collections.books(desk) if one.book_id == book.book_id]
    assert (view.next_number, view.used) == (2, 2)
    assert [one.number for one in collections.open_receipts(desk, book.collector)] == [1, 7]
    done = collections.hand_over(desk, book.collector, 24 * UNIT, EVENING, note="a coin")
    assert (done.receipts, done.expected_micros) == (2, 25 * UNIT)
    assert done.difference_micros == -UNIT
    with pytest.raises(Refused, match="nothing to hand over"):
        collections.hand_over(desk, book.collector, 0, EVENING)
    assert shifts.close(walker, own.shift_id, 0, EVENING).difference_micros == 0
    closed = shifts.close(desk, shift.shift_id, 34 * UNIT, EVENING)
    assert (closed.expected_micros, closed.difference_micros) == (34 * UNIT, 0)
    assert [(one.channel, one.in_micros) for one in closed.lines] == [("collected", 24 * UNIT)]
    day = NOW.date()
    (line,) = [one for one in collections.report(desk, day, day + timedelta(days=1)).lines
               if one.collector == book.collector]  # fmt: skip
    assert (line.receipts, line.taken_micros, line.handed_micros) == (2, 25 * UNIT, 24 * UNIT)
    assert (line.difference_micros, line.open_receipts) == (-UNIT, 0)


def test_a_bill_is_paid_in_part_and_a_number_means_one_thing(desk: Context, make: Factory) -> None:
    book = _book(desk, "BB")
    who, other = make.subscriber(NOW, profile=MONTHLY, plan=MONTH_PLAN), make.subscriber(NOW)
    bill = bills.issue_bill(
        desk,
        who.subscription_id,
        cycle_from=NOW.date(),
        cycle_until=NOW.date() + timedelta(days=30),
        amount_micros=30 * UNIT,
        now=NOW,
    )
    done = collections.take(
        desk, book.book_id, 3, who.customer_id, 12 * UNIT, NOW, bill_number=bill.number
    )
    assert done.bill_number == bill.number
    for customer_id, micros, number in (
        (who.customer_id, 13 * UNIT, bill.number),
        (who.customer_id, 12 * UNIT, None),
        (other.customer_id, 12 * UNIT, None),
    ):
        with pytest.raises(Conflict, match="BB3 was entered on 2026"):
            collections.take(desk, book.book_id, 3, customer_id, micros, NOW, bill_number=number)
    with pytest.raises(NotFound, match="no bill"):
        collections.take(
            desk, book.book_id, 4, other.customer_id, UNIT, NOW, bill_number=bill.number
        )
    for number in (0, 51):
        with pytest.raises(InvalidInput, match="must be 1 to 50"):
            collections.take(desk, book.book_id, number, who.customer_id, UNIT, NOW)
    with pytest.raises(InvalidInput, match="more than zero"):
        collections.take(desk, book.book_id, 4, who.customer_id, 0, NOW)
    collections.close_book(desk, book.book_id, NOW)
    with pytest.raises(Refused, match="the book is closed"):
        collections.take(desk, book.book_id, 4, who.customer_id, UNIT, NOW)
    assert len(collections.open_receipts(desk, book.collector)) == 1


def test_books_do_not_overlap(desk: Context) -> None:
    _book(desk, "CC", 1, 50)
    for first, last in ((50, 60), (0, 1), (10, 20), (0, 99)):
        with pytest.raises(Conflict, match="another book of series"):
            _book(desk, "CC", first, last)
    _book(desk, "CC", 51, 51)
    for first, last in ((5, 4), (-1, 3), (0, 100_000)):
        with pytest.raises(InvalidInput):
            _book(desk, "DD", first, last)


def test_one_number_entered_by_many_at_once_is_one_payment(desk: Context, make: Factory) -> None:
    book, who = _book(desk, "EE"), [make.subscriber(NOW) for _ in range(2)]
    barrier = Barrier(8)

    def enter(number: int) -> PaperReceipt | Conflict:
        barrier.wait()
        try:
            return collections.take(
                desk, book.book_id, 9, who[number % 2].customer_id, 5 * UNIT, NOW
            )
        except Conflict as conflict:
            return conflict

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(enter, range(8)))
    taken = [one for one in done if isinstance(one, PaperReceipt)]
    assert (len(taken), sum(not one.repeated for one in taken)) == (4, 1)
    paid = [customers.get_customer(desk, one.customer_id).wallets[0].posted_micros for one in who]
    assert sorted(paid) == [0, 5 * UNIT]
    assert len(collections.open_receipts(desk, book.collector)) == 1


def test_a_resellers_staff_gives_no_books(
    context: Context, make: Factory, settings: Settings
) -> None:
    for trade in opened(context, make, settings):
        with pytest.raises(Refused, match="R1"):
            _book(trade.child.staff, "FF")
        who = trade.customer(trade.child)
        theirs = customers.customer_of(trade.context, who)
        book = _book(replace(trade.owner, actor="op"), "GG")
        with pytest.raises(NotFound):
            collections.take(trade.child.staff, book.book_id, 1, theirs, UNIT, NOW)


def test_who_holds_all_that_it_may_hands_over_first(desk: Context, make: Factory) -> None:
    book, who = _book(desk, "HH"), make.subscriber(NOW)
    done = collections.set_limit(desk, book.collector, 20 * UNIT, NOW)
    assert collections.limits(desk) == [done] and done.limit_micros == 20 * UNIT
    collections.take(desk, book.book_id, 1, who.customer_id, 15 * UNIT, NOW)
    with pytest.raises(Refused, match=r"may hold 20\.00 USD in cash, and would hold more with"):
        collections.take(desk, book.book_id, 2, who.customer_id, 5 * UNIT + 10_000, NOW)
    assert customers.get_customer(desk, who.customer_id).wallets[0].posted_micros == 15 * UNIT
    collections.take(desk, book.book_id, 2, who.customer_id, 5 * UNIT, NOW)
    # The same once more is no more money.
    assert collections.take(desk, book.book_id, 2, who.customer_id, 5 * UNIT, NOW).repeated
    collections.hand_over(desk, book.collector, 20 * UNIT, EVENING)
    collections.take(desk, book.book_id, 3, who.customer_id, 20 * UNIT, EVENING)
    assert collections.set_limit(desk, book.collector, None, EVENING).limit_micros is None
    assert collections.limit_of(desk, book.collector) is None
    collections.take(desk, book.book_id, 4, who.customer_id, 90 * UNIT, EVENING)
    with pytest.raises(InvalidInput):
        collections.set_limit(desk, book.collector, 0, EVENING)


def test_receipts_entered_at_once_do_not_pass_the_limit_together(
    desk: Context, make: Factory
) -> None:
    """Of two books, each with a payment that is there: nothing but the limit is in their way."""
    first = _book(desk, "JJ")
    second = collections.open_book(desk, first.collector, series="KK", first=1, last=50, now=NOW)
    who = [make.subscriber(NOW).customer_id for _ in range(8)]
    collections.set_limit(desk, first.collector, 35 * UNIT, NOW)
    barrier = Barrier(8)

    def enter(number: int) -> str:
        book, customer_id = (first, second)[number % 2], who[number]
        paid = sales.topup(
            desk, customer_id, 10 * UNIT, channel=MoneyChannel.CASH, idempotency_key="x", now=NOW
        )
        barrier.wait()
        try:
            with desk.transaction() as tx:
                store.enter(tx, book.book_id, number + 1, customer_id, paid.payment_id, None,
                            Money(10 * UNIT, "USD"), by=desk.actor, now=NOW)  # fmt: skip
                sleep(0.2)  # the others come before this is committed
        except Refused as refused:
            return refused.message
        return ""

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(enter, range(8)))
    assert done.count("") == 3
    assert all("may hold 35.00 USD" in said for said in done if said)
    held = collections.open_receipts(desk, first.collector)
    assert sum(one.amount_micros for one in held) == 30 * UNIT


def test_cash_taken_at_once_over_the_limit_is_not_taken(desk: Context, make: Factory) -> None:
    """Who is refused has paid nothing."""
    book, who = _book(desk, "LL"), [make.subscriber(NOW).customer_id for _ in range(6)]
    collections.set_limit(desk, book.collector, 25 * UNIT, NOW)
    barrier = Barrier(6)

    def take(number: int) -> PaperReceipt | Refused:
        barrier.wait()
        try:
            return collections.take(desk, book.book_id, number + 1, who[number], 10 * UNIT, NOW)
        except Refused as refused:
            return refused

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(take, range(6)))
    assert sum(isinstance(one, PaperReceipt) for one in done) == 2
    paid = [customers.get_customer(desk, one).wallets[0].posted_micros for one in who]
    assert sorted(paid) == [0] * 4 + [10 * UNIT] * 2


def test_a_resellers_staff_sets_no_limit_and_receipts_come_by_the_function_only(
    context: Context, make: Factory, settings: Settings
) -> None:
    for trade in opened(context, make, settings):
        with pytest.raises(Refused, match="R1"):
            collections.set_limit(trade.child.staff, "walker", UNIT, NOW)
        with (
            pytest.raises(DBAPIError, match="permission denied"),
            trade.owner.transaction() as tx,
        ):
            tx.connection().exec_driver_sql("INSERT INTO paper_receipt (book_id) VALUES (1)")

"""`tollway collector`: books of receipts, cash by their numbers, handed over and reported (R4)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from billing.services import bills, books, customers
from billing.services.context import Context
from tests.factories import MONTH_PLAN, MONTHLY, Factory
from tests.integration.conftest import Run

pytestmark = pytest.mark.rule("R4")
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
AT = ("--at", "2026-03-10T12:00")
UNIT = 1_000_000


def _book(run: Run, name: str, series: str, first: int = 1, last: int = 50) -> str:
    """The number of a new one."""
    code, out, err = run(
        "collector", "book", name, "--series", series, "--first", str(first), "--last", str(last),
        "--json", *AT,
    )  # fmt: skip
    assert code == 0, err
    return str(json.loads(out)["book_id"])


def test_a_day_of_a_collector_at_the_command_line(
    run: Run, context: Context, make: Factory
) -> None:
    who = make.subscriber(NOW, profile=MONTHLY, plan=MONTH_PLAN)
    customer = str(who.customer_id)
    bill = bills.issue_bill(
        context,
        who.subscription_id,
        cycle_from=NOW.date(),
        cycle_until=NOW.date() + timedelta(days=30),
        amount_micros=30 * UNIT,
        now=NOW,
    )
    out = run("collector", "book", "joe", "--series", "ab", "--first", "1", "--last", "50", *AT)[1]
    assert "of joe: AB1 to AB50" in out
    (listed,) = [
        one for one in json.loads(run("collector", "books", "--json")[1])
        if one["collector"] == "joe"
    ]  # fmt: skip
    book = str(listed["book_id"])
    code, out, err = run("collector", "take", book, "1", customer, "12.50", "--bill", bill.number,
                         *AT)  # fmt: skip
    assert (code, "entered: AB1, 12.50 USD of" in out) == (0, True), err
    assert "entered before: AB1" in run(
        "collector", "take", book, "1", customer, "12.50", "--bill", bill.number, *AT
    )[1]  # fmt: skip
    assert run("collector", "take", book, "2", customer, "20.00", *AT)[0] == 0
    # 17.50 of it has paid what was open of the bill.
    wallet = customers.get_customer(context, who.customer_id).wallets[0]
    assert wallet.posted_micros == 2_500_000
    shown = run("collector", "books")[1]
    assert "AB1-50" in shown and "open" in shown
    # What should be there is told when it is counted, and not before.
    code, out, err = run(
        "collector", "hand-over", "joe", "--counted", "32", "--note", "a coin", *AT
    )
    assert "2 receipts of 32.50 USD, counted 32.00 USD, difference -0.50 USD" in out, err
    assert "-0.50 USD" in run("collector", "settlements")[1]
    (handed,) = json.loads(run("collector", "settlements", "--json")[1])
    assert (handed["collector"], handed["note"]) == ("joe", "a coin")
    assert run("collector", "take", book, "3", customer, "1.00", *AT)[0] == 0
    days = ("--from", "2026-03-10", "--to", "2026-03-10")
    (line,) = [one for one in json.loads(run("collector", "report", *days, "--json")[1])
               if one["collector"] == "joe"]  # fmt: skip
    taken = (line["receipts"], line["taken_micros"], line["handed_micros"], line["open_micros"])
    assert taken == (3, 33_500_000, 32_000_000, UNIT)
    assert "33.50 USD" in run("collector", "report", *days)[1]
    elsewhere = run("collector", "report", "--from", "2026-03-11", "--to", "2026-03-12")[1]
    assert "33.50 USD" not in elsewhere
    assert f"book {book} is closed" in run("collector", "close-book", book, *AT)[1]
    assert "closed" in run("collector", "books")[1]
    assert books.check_ledger(context, NOW).findings == ()


def test_bad_input_says_what_to_do_and_enters_nothing(
    run: Run, context: Context, make: Factory
) -> None:
    who, other = make.subscriber(NOW), make.subscriber(NOW)
    book, customer = _book(run, "kim", "BB", 10, 20), str(who.customer_id)
    take = ("collector", "take", book)
    assert run(*take, "10", customer, "5.00", *AT)[0] == 0
    for arguments, code, said in (
        ((*take, "10", customer, "6.00"), 5, "number BB10 was entered on 2026-03-10"),
        ((*take, "10", str(other.customer_id), "5.00"), 5, "was entered on"),
        ((*take, "9", customer, "5.00"), 2, "must be 10 to 20"),
        ((*take, "21", customer, "5.00"), 2, "must be 10 to 20"),
        ((*take, "eleven", customer, "5.00"), 2, "not a valid integer"),
        ((*take, "11", customer, "five"), 2, "not an amount"),
        ((*take, "11", customer, "0"), 2, "more than zero"),
        ((*take, "11", "999999", "5.00"), 3, "999999"),
        ((*take, "11", customer, "5.00", "--bill", "INV-999999"), 3, "no bill"),
        (("collector", "take", "999999", "1", customer, "5.00"), 3, "no receipt book"),
        (("collector", "close-book", "999999"), 3, "no receipt book"),
        (("collector", "hand-over", "nobody", "--counted", "0"), 4, "nothing to hand over"),
        (("collector", "hand-over", "kim", "--counted", "-1"), 2, "must be 0 or more"),
        (("collector", "hand-over", "kim", "--counted", "5.001"), 2, ""),
        (("collector", "hand-over", "kim"), 2, "--counted"),
    ):
        got, out, err = run(*arguments, *AT)
        assert (got, said in err) == (code, True), (arguments, out, err)
    book_of = ("collector", "book", "kim", "--series")
    for values, code, said in (
        (("BB", "--first", "20", "--last", "30"), 5, "another book of series 'BB'"),
        (("CC", "--first", "5", "--last", "4"), 2, "the last not below the first"),
        (("CC", "--first", "-1", "--last", "4"), 2, "0 or more"),
        (("CC", "--first", "1", "--last", "100001"), 2, "100000 numbers at most"),
        (("C C", "--first", "1", "--last", "2"), 2, "no blanks"),
        (("CC", "--first", "1"), 2, "--last"),
    ):
        got, out, err = run(*book_of, *values, *AT)
        assert (got, said in err) == (code, True), (values, out, err)
    assert run("collector", "book", " ", "--first", "1", "--last", "2", *AT)[0] == 2
    report = ("collector", "report", "--from")
    for days, said in (
        (("2026-03-10", "--to", "2026-03-09"), "must not lie before the first day"),
        (("10 March", "--to", "2026-03-09"), "does not match"),
        (("2026-03-10",), "--to"),
    ):
        got, _, err = run(*report, *days)
        assert (got, said in err) == (2, True), (days, err)
    # One receipt was entered, one book was made.
    mine = [one for one in json.loads(run("collector", "books", "--json")[1])
            if one["collector"] == "kim"]  # fmt: skip
    assert [(one["series"], one["used"]) for one in mine] == [("BB", 1)]
    (wallet,) = customers.get_customer(context, who.customer_id).wallets
    assert wallet.posted_micros == 5 * UNIT
    assert run("collector", "close-book", book, *AT)[0] == 0
    assert "closed on 2026-03-10" in run("collector", "close-book", book, *AT)[2]
    code, _, err = run(*take, "11", customer, "5.00", *AT)
    assert (code, "the book is closed" in err) == (4, True)

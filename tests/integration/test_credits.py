"""Bills are taken back by credit notes: what is owed, what goes to the wallet, what follows for the
service and the books (rules I2, I4, M4, B9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.credits import CreditNoteView
from billing.model.views import InvoiceView
from billing.services import bills, books, credits, explain
from billing.services.context import Context
from billing.store import ledger
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber

ISSUED = datetime(2026, 3, 10, 8, tzinfo=UTC)
OVERDUE = datetime(2026, 3, 25, 12, tzinfo=UTC)
CUT = replace(
    MONTHLY,
    cycle_day=10,
    automatic_suspend=True,
    suspended_pool="walled",
    due_days=10,
    tax_rate_ppm=210_000,
    tax_inclusive=False,
)


@pytest.fixture
def owner(make: Factory) -> Subscriber:
    return make.subscriber(ISSUED, profile=CUT, plan=MONTH_PLAN)


MARCH, APRIL, MAY = (date(2026, month, 10) for month in (3, 4, 5))


def issue(
    context: Context, owner: Subscriber, first: date = MARCH, until: date = APRIL
) -> InvoiceView:
    return bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=first,
        cycle_until=until,
        amount_micros=10_000_000,
        now=ISSUED,
    )


def take_back(
    context: Context,
    bill: InvoiceView,
    amount_micros: int | None = None,
    key: str = "credit",
    *,
    void: bool = False,
) -> CreditNoteView:
    return credits.credit(
        context,
        bill.number,
        reason="charged by mistake",
        idempotency_key=key,
        now=OVERDUE,
        amount_micros=amount_micros,
        void=void,
    )


def pay(context: Context, bill: InvoiceView, amount_micros: int) -> None:
    bills.pay(
        context,
        bill.number,
        idempotency_key=f"pay {bill.number} {amount_micros}",
        now=ISSUED,
        amount_micros=amount_micros,
        channel=MoneyChannel.CASH,
    )


def account(context: Context, owner: Subscriber, name: str) -> int:
    with context.transaction() as tx:
        return ledger.balance(tx, owner.customer_id, name)


def rule(context: Context, owner: Subscriber, at: datetime = OVERDUE) -> str:
    return explain.why(context, owner.subscription_id, at).state.rule


def findings(context: Context) -> list[str]:
    return [one.problem for one in books.check_ledger(context, OVERDUE).findings]


@pytest.mark.rule("I2")
@pytest.mark.rule("M4")
def test_an_open_bill_is_owed_no_more(context: Context, owner: Subscriber) -> None:
    bill = issue(context, owner)
    assert rule(context, owner) == "S5"
    note = take_back(context, bill)
    assert (note.invoice_number, note.total_micros, note.tax_micros, note.to_wallet_micros) == (
        bill.number,
        12_100_000,
        2_100_000,
        0,
    )
    for name in (ledger.RECEIVABLE, ledger.REVENUE_BILL, ledger.TAX, ledger.WALLET):
        assert account(context, owner, name) == 0
    assert rule(context, owner) == "S8"
    assert findings(context) == []


@pytest.mark.rule("B9")
def test_what_was_credited_unpaid_is_no_paid_cycle(context: Context, owner: Subscriber) -> None:
    first = issue(context, owner)
    take_back(context, first)
    with pytest.raises(Refused, match="billed already"):
        issue(context, owner)
    second = issue(context, owner, APRIL, MAY)
    assert rule(context, owner) == "S5"
    with pytest.raises(InvalidInput, match="whole bill") as refused:
        take_back(context, second, 1_000_000, "part", void=True)
    assert refused.value.field == "void"
    third = issue(context, owner, MAY, date(2026, 6, 10))
    with pytest.raises(Refused, match=f"void {third.number} first"):
        take_back(context, second, None, "void", void=True)
    take_back(context, third, None, "third", void=True)
    take_back(context, second, None, "void", void=True)
    issue(context, owner, APRIL, MAY)  # its days may be billed again
    assert rule(context, owner) == "S5"


@pytest.mark.rule("I4")
def test_of_a_bill_paid_in_part_the_open_part_is_credited_first(
    context: Context, owner: Subscriber
) -> None:
    bill = issue(context, owner)
    pay(context, bill, 10_000_000)
    first = take_back(context, bill, 2_000_000, "first")
    assert (first.total_micros, first.to_wallet_micros) == (2_000_000, 0)
    assert account(context, owner, ledger.RECEIVABLE) == -100_000
    rest = take_back(context, bill, None, "rest")
    assert (rest.total_micros, rest.to_wallet_micros) == (10_100_000, 10_000_000)
    assert account(context, owner, ledger.WALLET) == 10_000_000
    for name in (ledger.RECEIVABLE, ledger.REVENUE_BILL, ledger.TAX):
        assert account(context, owner, name) == 0
    assert [one.number for one in credits.credit_notes(context, bill.number)] == [
        first.number,
        rest.number,
    ]
    assert findings(context) == []


@pytest.mark.rule("I4")
def test_what_comes_back_pays_other_open_bills(context: Context, owner: Subscriber) -> None:
    first = issue(context, owner)
    pay(context, first, 12_100_000)
    second = issue(context, owner, APRIL, MAY)
    note = take_back(context, first, 5_000_000)
    assert note.to_wallet_micros == 5_000_000
    assert account(context, owner, ledger.WALLET) == 0
    assert account(context, owner, ledger.RECEIVABLE) == -(second.total_micros - 5_000_000)
    assert findings(context) == []


@pytest.mark.rule("M5")
def test_sent_twice_it_is_credited_once(context: Context, owner: Subscriber) -> None:
    bill = issue(context, owner)
    once = take_back(context, bill)
    again = take_back(context, bill)
    assert (again.number, again.repeated) == (once.number, True)


@pytest.mark.rule("I2")
def test_numbers_of_credit_notes_have_no_gaps(context: Context, owner: Subscriber) -> None:
    bill = issue(context, owner)
    with pytest.raises(InvalidInput, match=r"only 12\.10 USD") as refused:
        take_back(context, bill, 12_110_000)
    assert refused.value.field == "amount"
    numbers = [take_back(context, bill, 1_000_000, str(key)).number for key in range(3)]
    assert len({int(number.removeprefix("CN-")) for number in numbers}) == 3
    assert findings(context) == []


@pytest.mark.rule("I2")
def test_what_cannot_be_credited_is_refused_with_the_reason(
    context: Context, owner: Subscriber
) -> None:
    bill = issue(context, owner)
    with pytest.raises(InvalidInput, match="must say why"):
        credits.credit(context, bill.number, reason=" ", idempotency_key="k", now=OVERDUE)
    with pytest.raises(NotFound, match="INV-0"):
        credits.credit_notes(context, "INV-0")
    take_back(context, bill)
    with pytest.raises(Refused, match="has been credited"):
        take_back(context, bill, None, "again")
    with pytest.raises(Refused, match="nothing of"):
        pay(context, bill, 1_000_000)

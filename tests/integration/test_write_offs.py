"""Bills are written off: what is owed becomes a loss, and nobody is held back by it (rule I5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select, update

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.dunning import WriteOffView
from billing.model.views import InvoiceView
from billing.services import bills, books, credits, dunning, explain, write_offs
from billing.services.context import Context
from billing.store import ledger, tables
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber

ISSUED = datetime(2026, 3, 10, 8, tzinfo=UTC)
OVERDUE = datetime(2026, 3, 25, 12, tzinfo=UTC)
MARCH, APRIL = (date(2026, month, 10) for month in (3, 4))
CUT = replace(MONTHLY, cycle_day=10, tax_rate_ppm=210_000, tax_inclusive=False)


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    yield
    assert books.check_ledger(context, OVERDUE).findings == ()


@pytest.fixture
def owner(make: Factory) -> Subscriber:
    return make.subscriber(ISSUED, profile=CUT, plan=MONTH_PLAN)


@pytest.fixture
def bill(context: Context, owner: Subscriber) -> InvoiceView:
    return bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=MARCH,
        cycle_until=APRIL,
        amount_micros=10_000_000,
        now=ISSUED,
    )


def pay(context: Context, bill: InvoiceView, amount_micros: int) -> None:
    bills.pay(
        context,
        bill.number,
        idempotency_key=f"pay {amount_micros}",
        now=OVERDUE,
        amount_micros=amount_micros,
        channel=MoneyChannel.CASH,
    )


def write_off(
    context: Context, bill: InvoiceView, key: str = "lost", reason: str = "moved abroad"
) -> WriteOffView:
    return write_offs.write_off(
        context, bill.number, reason=reason, idempotency_key=key, now=OVERDUE
    )


@pytest.mark.rule("I5")
def test_what_is_open_becomes_a_loss(
    context: Context, owner: Subscriber, bill: InvoiceView
) -> None:
    pay(context, bill, 2_100_000)
    assert explain.why(context, owner.subscription_id, OVERDUE).state.rule == "S5"
    view = write_off(context, bill)
    assert (view.number, view.amount_micros) == (bill.number, 10_000_000)
    with context.transaction() as tx:
        balances = [
            ledger.balance(tx, owner.customer_id, account)
            for account in (ledger.RECEIVABLE, ledger.BAD_DEBT, ledger.DEFERRED_BILL, ledger.TAX)
        ]
        row = tx.scalars(select(tables.Invoice).where(tables.Invoice.number == bill.number)).one()
        entry = tx.scalars(
            select(tables.JournalEntry).where(
                tables.JournalEntry.customer_id == owner.customer_id,
                tables.JournalEntry.kind == "write_off",
            )
        ).one()
        noted = tx.scalars(
            select(tables.AuditLog).where(tables.AuditLog.action == "bill.write_off")
        ).all()[-1]
    assert balances == [0, -10_000_000, 10_000_000, 2_100_000]
    assert (row.written_off_micros, row.paid_at) == (10_000_000, OVERDUE)
    assert entry.corrects_entry_id == row.entry_id
    assert "moved abroad" in noted.detail
    assert explain.why(context, owner.subscription_id, OVERDUE).state.rule == "S8"


@pytest.mark.rule("I5")
def test_only_once_and_only_what_is_open(context: Context, bill: InvoiceView) -> None:
    first = write_off(context, bill)
    assert write_off(context, bill) == replace(first, repeated=True)
    with pytest.raises(Conflict):
        write_off(context, bill, reason="another one")
    with pytest.raises(Refused, match="written off already") as refused:
        write_off(context, bill, "again")
    assert refused.value.field == "invoice"
    with pytest.raises(Refused, match="left to pay"):
        pay(context, bill, 1_000_000)


@pytest.mark.rule("I5")
def test_a_paid_bill_is_not_written_off(context: Context, bill: InvoiceView) -> None:
    pay(context, bill, 12_100_000)
    with pytest.raises(Refused, match="paid or credited"):
        write_off(context, bill)


@pytest.mark.rule("I5")
def test_a_reason_and_a_bill_are_needed(context: Context, bill: InvoiceView) -> None:
    with pytest.raises(InvalidInput) as refused:
        write_off(context, bill, reason="  ")
    assert refused.value.field == "reason"
    with pytest.raises(NotFound):
        write_off(context, replace(bill, number="INV-0"))


@pytest.mark.rule("I2")
def test_what_is_written_off_is_not_credited(
    context: Context, owner: Subscriber, bill: InvoiceView
) -> None:
    pay(context, bill, 2_100_000)
    write_off(context, bill)

    def credit(key: str, amount_micros: int | None = None, *, void: bool = False) -> int:
        note = credits.credit(
            context,
            bill.number,
            reason="a gift",
            idempotency_key=key,
            now=OVERDUE,
            amount_micros=amount_micros,
            void=void,
        )
        return note.to_wallet_micros

    with pytest.raises(InvalidInput, match=r"only 2\.10 USD"):
        credit("too much", 2_110_000)
    with pytest.raises(Refused, match="was written off"):
        credit("void", void=True)
    assert credit("all") == 2_100_000
    with pytest.raises(Refused, match="credited or written off"):
        credit("more")
    with context.transaction() as tx:
        assert ledger.wallet(tx, owner.customer_id, _wallet(tx, owner)).posted_micros == 2_100_000


def test_the_check_of_the_books_sees_a_write_off_that_is_not_true(
    context: Context, bill: InvoiceView
) -> None:
    write_off(context, bill)
    row = tables.Invoice

    def falsify(micros: int) -> None:
        with context.transaction() as tx:
            tx.execute(
                update(row).where(row.number == bill.number).values(written_off_micros=micros)
            )

    falsify(12_000_000)
    problems = {one.problem for one in books.check_ledger(context, OVERDUE).findings}
    assert "what is owed differs from the open bills" in problems
    assert "bill differs from what was written off of it" in problems
    falsify(12_100_000)


def _wallet(tx: object, owner: Subscriber) -> int:
    return tx.scalars(  # type: ignore[attr-defined]
        select(tables.Wallet.wallet_id).where(tables.Wallet.customer_id == owner.customer_id)
    ).one()


@pytest.mark.rule("I5")
def test_what_was_written_off_is_listed_and_only_of_whom_it_was(
    context: Context, make: Factory, owner: Subscriber, bill: InvoiceView
) -> None:
    other = make.subscriber(ISSUED, profile=CUT, plan=MONTH_PLAN)
    for call in (
        lambda: write_offs.write_off(
            context,
            bill.number,
            reason="lost",
            idempotency_key="other",
            now=OVERDUE,
            customer_id=other.customer_id,
        ),
        lambda: dunning.of_bill(context, bill.number, OVERDUE, customer_id=other.customer_id),
    ):
        with pytest.raises(NotFound):
            call()
    view = write_off(context, bill)
    assert write_offs.of_customer(context, owner.customer_id) == [view]
    assert write_offs.of_customer(context, other.customer_id) == []
    told = dunning.of_bill(context, bill.number, OVERDUE, customer_id=owner.customer_id)
    assert told.held == "it was written off"

"""Bills are written off: what is owed becomes a loss, and nobody is held back by it (rule I5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import select, update

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.dunning import WriteOffView
from billing.model.profile import TaxPoint
from billing.model.views import InvoiceView, PaymentReceipt
from billing.services import (
    bills,
    books,
    credits,
    dunning,
    explain,
    receipts,
    sales,
    statements,
    write_offs,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store import ledger, tables
from billing.store.statements import open_bills
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber

ISSUED = datetime(2026, 3, 10, 8, tzinfo=UTC)
OVERDUE = datetime(2026, 3, 25, 12, tzinfo=UTC)
AFTER_ALL = datetime(2026, 4, 2, 12, tzinfo=UTC)
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


def recovered(context: Context, bill: InvoiceView, amount_micros: int | None) -> PaymentReceipt:
    return bills.pay(
        context,
        bill.number,
        idempotency_key=f"after all {amount_micros}",
        now=AFTER_ALL,
        amount_micros=amount_micros,
        channel=MoneyChannel.CASH,
    )


def balances(context: Context, owner: Subscriber, *accounts: str) -> list[int]:
    with context.transaction() as tx:
        return [ledger.balance(tx, owner.customer_id, account) for account in accounts]


@pytest.mark.rule("I5")
@pytest.mark.rule("M4")
def test_who_pays_after_all_pays_back_the_loss(
    context: Context, owner: Subscriber, bill: InvoiceView
) -> None:
    """12.10 with 2.10 tax, 2.10 paid, 10.00 given up: 4.00 come in, then 7.00."""
    pay(context, bill, 2_100_000)
    write_off(context, bill)
    first = recovered(context, bill, 4_000_000)
    assert (first.recovered_micros, first.available_micros) == (4_000_000, 0)
    assert recovered(context, bill, 4_000_000) == replace(first, repeated=True)
    assert balances(context, owner, ledger.BAD_DEBT, ledger.RECEIVABLE) == [-6_000_000, 0]
    (lost,) = write_offs.of_customer(context, owner.customer_id)
    assert (lost.amount_micros, lost.recovered_micros) == (10_000_000, 4_000_000)
    assert books.check_ledger(context, AFTER_ALL).findings == ()
    rest = recovered(context, bill, 7_000_000)
    assert (rest.recovered_micros, rest.available_micros) == (6_000_000, 1_000_000)
    assert balances(
        context, owner, ledger.BAD_DEBT, ledger.RECEIVABLE, ledger.TAX, ledger.WALLET
    ) == [0, 0, 2_100_000, 1_000_000]
    with context.transaction() as tx:
        row = tx.scalars(select(tables.Invoice).where(tables.Invoice.number == bill.number)).one()
        entry = tx.scalars(
            select(tables.JournalEntry).where(
                tables.JournalEntry.customer_id == owner.customer_id,
                tables.JournalEntry.kind == "recovery",
            )
        ).first()
        given_up = tx.scalars(
            select(tables.WriteOff.entry_id).where(tables.WriteOff.customer_id == owner.customer_id)
        ).one()
    assert (row.paid_micros, row.written_off_micros) == (12_100_000, 0)
    assert row.paid_at == OVERDUE  # nothing was left to pay since then
    assert entry is not None
    assert entry.corrects_entry_id == given_up
    with pytest.raises(Refused, match="left to pay"):
        recovered(context, bill, 1_000_000)


@pytest.mark.rule("I5")
@pytest.mark.rule("I4")
def test_money_for_the_wallet_pays_nothing_that_was_given_up(
    context: Context, owner: Subscriber, bill: InvoiceView
) -> None:
    """Nobody expects it; but whoever wants may pay it, all that is left unless an amount is said,
    and from the wallet."""
    write_off(context, bill)
    sales.topup(
        context,
        owner.customer_id,
        20_000_000,
        channel=MoneyChannel.CASH,
        idempotency_key="top up",
        now=AFTER_ALL,
    )
    assert balances(context, owner, ledger.WALLET, ledger.BAD_DEBT) == [20_000_000, -12_100_000]
    done = bills.pay(context, bill.number, idempotency_key="wallet", now=AFTER_ALL)
    assert (done.amount_micros, done.recovered_micros) == (12_100_000, 12_100_000)
    assert balances(context, owner, ledger.WALLET, ledger.BAD_DEBT) == [7_900_000, 0]


@pytest.mark.rule("I5")
@pytest.mark.rule("I6")
def test_tax_that_waited_for_the_payment_is_due_with_what_comes_in(
    context: Context, make: Factory
) -> None:
    """2.10 of 12.10 is tax, due as it is paid; given up is all after 4.00. What comes in makes its
    share due, towards zero, and all of it with the last cent; a credit note takes it back."""
    profile = replace(CUT, tax_point=TaxPoint.PAYMENT)
    owner = make.subscriber(ISSUED, profile=profile, plan=MONTH_PLAN)
    bill = bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=MARCH,
        cycle_until=APRIL,
        amount_micros=10_000_000,
        now=ISSUED,
    )
    pay(context, bill, 4_000_000)
    write_off(context, bill)
    assert balances(context, owner, ledger.TAX, ledger.BAD_DEBT) == [694_214, -6_694_214]
    first = recovered(context, bill, 1_000_000)
    # 1.405786 of 8.10 was released: 0.173553 of 1.00.
    assert balances(context, owner, ledger.TAX, ledger.BAD_DEBT) == [867_767, -5_867_767]
    receipt = receipts.by_number(context, first.receipt_number or "")
    assert (receipt.total_micros, receipt.tax_micros) == (1_000_000, 173_553)
    assert books.check_ledger(context, AFTER_ALL).findings == ()
    recovered(context, bill, None)
    assert balances(context, owner, ledger.TAX, ledger.TAX_UNPAID, ledger.BAD_DEBT) == [
        2_100_000,
        0,
        0,
    ]
    credits.credit(context, bill.number, reason="a gift", idempotency_key="gift", now=AFTER_ALL)
    assert balances(context, owner, ledger.TAX, ledger.WALLET) == [0, 12_100_000]


@pytest.mark.rule("I5")
def test_a_debt_of_the_wallet_goes_before_what_was_given_up(
    context: Context, owner: Subscriber, bill: InvoiceView
) -> None:
    write_off(context, bill)
    with context.transaction() as tx:
        wallet_id = _wallet(tx, owner)
        ledger.post(
            tx,
            customer_id=owner.customer_id,
            org_id=1,
            kind="adjustment",
            memo="a debt",
            lines=[
                ledger.Line(ledger.WALLET, -5_000_000, wallet_id),
                ledger.Line("money:adjustment", 5_000_000),
            ],
            currency="USD",
            now=OVERDUE,
        )
    done = recovered(context, bill, 7_000_000)
    assert (done.recovered_micros, done.available_micros) == (2_000_000, 0)


@pytest.mark.rule("M4")
def test_statements_tell_of_it_and_agree(
    context: Context, owner: Subscriber, bill: InvoiceView
) -> None:
    write_off(context, bill)
    recovered(context, bill, 5_000_000)
    found = statements.statement(context, owner.customer_id, MARCH, date(2026, 4, 30))
    moves = {(one.text, one.amount_micros) for one in found.account.lines}
    assert (f"{bill.number}, which had been written off", -5_000_000) in moves
    assert 5_000_000 in {amount for _, amount in moves}
    assert (found.account.closing_micros, found.open_micros) == (0, 0)
    with context.transaction() as tx:
        for at in (OVERDUE + timedelta(minutes=1), AFTER_ALL + timedelta(minutes=1)):
            assert open_bills(tx, [owner.customer_id], at) == []


def test_the_check_of_the_books_sees_a_recovery_that_is_not_true(
    context: Context, owner: Subscriber, bill: InvoiceView, settings: Settings
) -> None:
    write_off(context, bill)
    recovered(context, bill, 5_000_000)
    false = "UPDATE recovery SET amount_micros = amount_micros %s 1 WHERE customer_id = %d"
    dsn = settings.admin_dsn(settings.database_name)
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute(false % ("+", owner.customer_id))
        problems = {one.problem for one in books.check_ledger(context, AFTER_ALL).findings}
        db.execute(false % ("-", owner.customer_id))
    assert "recovery differs from its entry" in problems
    assert "bill differs from what was written off of it" in problems

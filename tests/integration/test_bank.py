"""Statements of a bank account: imported, again, in overlapping files, at once (rules P1, M5)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import count

import pytest
from sqlalchemy import Engine, event, select

from billing.errors import BadLines, InvalidFields, InvalidInput, NotFound, Refused
from billing.model.bank import BankAccountView, BankFormat, BankImportReport, LineOutcome
from billing.rules.bank_match import payment_reference
from billing.services import bank, bank_files, bank_import, bills, books, prepayments, suspense
from billing.services.context import Context
from billing.store import tables
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.talker import UNIT

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
FORMAT = BankFormat(
    date_column="Date",
    amount_column="Amount",
    payer_column="Payer",
    reference_columns=("Text",),
    currency="USD",
)
L = LineOutcome
_numbers = count(1)


@dataclass
class Desk:
    """An account of the operator, and customers with a bill of 30.00."""

    context: Context
    make: Factory
    account: BankAccountView = field(init=False)

    def __post_init__(self) -> None:
        name = f"account {next(_numbers)}"
        self.account = bank.set_account(self.context, name, FORMAT, NOW)

    def billed(self, units: int = 30) -> tuple[Subscriber, str]:
        who = self.make.subscriber(NOW, profile=MONTHLY, plan=MONTH_PLAN)
        bill = bills.issue_bill(
            self.context,
            who.subscription_id,
            cycle_from=date(2026, 3, 1),
            cycle_until=date(2026, 4, 1),
            amount_micros=units * UNIT,
            now=NOW,
        )
        return who, bill.number

    def take(self, *lines: str, dry_run: bool = False) -> BankImportReport:
        """Each line: amount and reference."""
        rows = [f"2026-03-19,{one.split()[0]},Ada,{' '.join(one.split()[1:])}" for one in lines]
        return self.take_file("\n".join(("Date,Amount,Payer,Text", *rows)), dry_run=dry_run)

    def take_file(self, text: str, *, dry_run: bool = False) -> BankImportReport:
        body = text.encode()
        return bank_import.import_statement(self.context, self.account, body, NOW, dry_run=dry_run)

    def left(self, number: str) -> int:
        """Of a bill, in cents."""
        with self.context.transaction() as tx:
            row = tx.scalars(select(tables.Invoice).where(tables.Invoice.number == number)).one()
            return (row.total_micros - row.paid_micros) // 10_000

    def wallet(self, who: Subscriber) -> int:
        """In cents."""
        with self.context.transaction() as tx:
            found = select(tables.Wallet).where(tables.Wallet.customer_id == who.customer_id)
            return tx.scalars(found).one().posted_micros // 10_000

    def payments(self, who: Subscriber) -> list[tuple[str, int, str | None]]:
        """Channel, cents, reference."""
        with self.context.transaction() as tx:
            found = select(tables.Payment).where(tables.Payment.customer_id == who.customer_id)
            rows = tx.scalars(found.order_by(tables.Payment.payment_id))
            return [(row.channel, row.amount_micros // 10_000, row.reference) for row in rows]

    def waiting(self) -> list[tuple[int, str]]:
        """Cents and note of what this account put in suspense."""
        return [
            (one.left_micros // 10_000, one.note)
            for one in suspense.listed(self.context, limit=500)
            if one.reference.startswith(f"{self.account.name} ")
        ]

    def check(self) -> None:
        assert books.check_ledger(self.context, NOW).findings == ()


@pytest.fixture
def desk(context: Context, make: Factory) -> Desk:
    return Desk(context, make)


def outcomes(report: BankImportReport) -> list[LineOutcome]:
    return [one.outcome for one in report.lines]


@pytest.mark.rule("P1", "I4")
def test_what_names_a_bill_pays_it(desk: Desk) -> None:
    (ada, exact), (bob, part), (eve, more) = desk.billed(), desk.billed(), desk.billed()
    report = desk.take(f"30.00 {exact}", f"29.99 {part} danke", f"30.01 {more}", "-5 fee")
    assert outcomes(report) == [L.EXACT, L.PART, L.MORE]
    assert (report.known, report.outgoing) == (0, 1)
    assert [desk.left(number) for number in (exact, part, more)] == [0, 1, 0]
    assert [desk.wallet(who) for who in (ada, bob, eve)] == [0, 0, 1]
    assert desk.payments(bob) == [("bank_transfer", 2999, f"2026-03-19 {part} danke")]
    assert all(one.receipt_number for one in report.lines)
    assert [one.customer_id for one in report.lines] == [who.customer_id for who in (ada, bob, eve)]
    desk.check()


@pytest.mark.rule("P1")
def test_what_names_a_customer_is_its_credit(desk: Desk) -> None:
    who, number = desk.billed()
    report = desk.take(f"40 {payment_reference(who.customer_id)}")
    assert outcomes(report) == [L.CUSTOMER]
    assert (desk.left(number), desk.wallet(who)) == (0, 1000)


@pytest.mark.rule("P5")
def test_a_prepayment_invoice_is_paid_in_whole_or_topped_up(desk: Desk) -> None:
    who, other = desk.make.subscriber(NOW), desk.make.subscriber(NOW)
    for one in (who, other):
        prepayments.set_up(desk.context, one.customer_id, 20 * UNIT, now=NOW)
    prepayments.run(desk.context, NOW)
    asked, part = (
        prepayments.invoices_of(desk.context, one.customer_id)[0].number for one in (who, other)
    )
    assert outcomes(desk.take(f"20 {asked}", f"5 {part}", f"20.00 again {asked}")) == [
        L.EXACT,
        L.PART,
        L.NOTHING_OPEN,
    ]
    assert (desk.wallet(who), desk.wallet(other)) == (2000, 500)
    states = [prepayments.invoices_of(desk.context, one.customer_id)[0] for one in (who, other)]
    assert [one.state for one in states] == ["paid", "open"]


@pytest.mark.rule("P1")
def test_what_fits_nobody_waits_and_is_matched_by_hand(desk: Desk) -> None:
    (ada, paid), (_, other) = desk.billed(), desk.billed()
    desk.take(f"30 {paid}")
    euros = replace(FORMAT, currency="EUR")
    desk.account = bank.set_account(desk.context, desk.account.name, euros, NOW)
    assert outcomes(desk.take(f"30 {other}")) == [L.CURRENCY]
    desk.account = bank.set_account(desk.context, desk.account.name, FORMAT, NOW)
    report = desk.take("1 thanks", "2 INV-999999999", f"3 {paid} and {other}", f"4 {paid}")
    assert outcomes(report) == [L.UNKNOWN, L.UNKNOWN, L.SEVERAL, L.NOTHING_OPEN]
    notes = desk.waiting()
    assert [cents for cents, _ in notes] == [3000, 100, 200, 300, 400]
    assert notes[0][1] == f"Ada: {other} ({other} is in USD)"
    assert notes[1][1] == "Ada: thanks (names no bill and no customer)"
    assert (desk.left(other), desk.wallet(ada)) == (3000, 0)
    found = [one for one in suspense.listed(desk.context, limit=500) if one.left_micros == UNIT]
    suspense.match(
        desk.context, found[-1].suspense_id, ada.customer_id, idempotency_key="by hand", now=NOW
    )
    assert desk.payments(ada)[-1][:2] == ("bank_transfer", 100)
    desk.check()


@pytest.mark.rule("M5")
def test_a_file_again_and_one_that_overlaps_change_nothing(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    mine = payment_reference(who.customer_id)
    first = (
        "Date,Amount,Payer,Text\n"
        f"2026-03-17,5.00,Ada,{mine}\n2026-03-18,7.00,Ada,{mine}\n2026-03-18,7.00,Ada,{mine}\n"
    )
    assert outcomes(desk.take_file(first)) == [L.CUSTOMER] * 3
    again = desk.take_file(first)
    assert (again.lines, again.known) == ((), 3)
    # Another export: of other days, columns and case.
    second = (
        "Text,Balance,Amount,Date,Payer\n"
        f"{mine.lower()},1,7,2026-03-18,ADA\n{mine},1,7.00,2026-03-18,Ada\n"
        f"{mine},1,7.00,2026-03-19,Ada\nx,1,1,2026-03-19,Bob\n"
    )
    report = desk.take_file(second)
    assert (outcomes(report), report.known) == ([L.CUSTOMER, L.UNKNOWN], 2)
    assert desk.wallet(who) == 2600 and desk.waiting() == [
        (100, "Bob: x (names no bill and no customer)")
    ]
    assert len(bank.imported(desk.context, desk.account.account_id)) == 5
    desk.check()


@pytest.mark.rule("M5")
def test_a_file_imported_four_times_at_once_counts_once(desk: Desk) -> None:
    billed = [desk.billed() for _ in range(3)]
    lines = [f"30 {number}" for _, number in billed]
    lines += [
        f"{units} {payment_reference(who.customer_id)}" for who, _ in billed for units in (1, 1)
    ]
    lines += ["2 nobody", "2 nobody"]
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: desk.take(*lines), range(4)))
    assert sum(len(one.lines) for one in reports) == len(lines)
    assert all(len(one.lines) + one.known == len(lines) for one in reports)
    assert [desk.left(number) for _, number in billed] == [0, 0, 0]
    assert [desk.wallet(who) for who, _ in billed] == [200, 200, 200]
    assert [cents for cents, _ in desk.waiting()] == [200, 200]
    desk.check()


@pytest.mark.rule("M5")
def test_a_file_is_imported_in_parts(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    reference = payment_reference(who.customer_id)
    text = "\n".join(
        ("Date,Amount,Payer,Text", *(f"2026-03-19,{n}.00,Ada,{reference}" for n in range(1, 6)))
    )

    def part() -> tuple[int, int, int]:
        report = bank_import.import_statement(
            desk.context, desk.account, text.encode(), NOW, limit=2
        )
        return len(report.lines), report.known, report.left

    assert [part() for _ in range(4)] == [(2, 0, 3), (2, 2, 1), (1, 4, 0), (0, 5, 0)]
    assert desk.wallet(who) == 15_00
    desk.check()


def test_a_bad_line_stops_the_whole_file(desk: Desk) -> None:
    who, number = desk.billed()
    with pytest.raises(BadLines) as refused:
        desk.take(f"30 {number}", "1,5 x", f"12.505 {number}")
    assert [line for line, _, _ in refused.value.lines] == [3, 4]
    for body in (
        b"Date;Amount\n",
        b"Date,Amount,Payer,Text\n\xff\n",
        b"x" * (bank_files.FILE_LIMIT + 1),
    ):
        with pytest.raises(InvalidInput):
            bank_import.import_statement(desk.context, desk.account, body, NOW)
    assert (desk.left(number), desk.payments(who), desk.waiting()) == (3000, [], [])


def test_a_dry_run_says_the_same_and_does_nothing(desk: Desk) -> None:
    who, number = desk.billed()
    lines = (f"20 {number}", f"10 {number}", f"1 {number}", "2 x", "2 x")
    planned = desk.take(*lines, dry_run=True)
    assert (desk.left(number), desk.payments(who), desk.waiting()) == (3000, [], [])
    report = desk.take(*lines)
    assert outcomes(planned) == outcomes(report)
    assert outcomes(report) == [L.PART, L.EXACT, L.NOTHING_OPEN, L.UNKNOWN, L.UNKNOWN]
    assert [one.words for one in planned.lines] == [one.words for one in report.lines]
    after = desk.take(*lines, dry_run=True)
    assert (after.lines, after.known) == ((), 5)


def test_who_cannot_be_credited_waits_and_the_others_do_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, bad), (_, good) = desk.billed(), desk.billed()
    real = bills.pay_within

    def pay(context: Context, tx: object, customer: object, bill: tables.Invoice, *rest: object):
        if bill.number == bad:
            raise Refused(f"nothing of {bad} is left to pay", field="invoice")
        return real(context, tx, customer, bill, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(bills, "pay_within", pay)
    report = desk.take(f"30 {bad}", f"30 {good}")
    assert outcomes(report) == [L.REFUSED, L.EXACT]
    assert desk.left(good) == 0 and [cents for cents, _ in desk.waiting()] == [3000]
    assert f"nothing of {bad} is left to pay" in desk.waiting()[0][1]


def test_an_account_is_set_and_found(desk: Desk) -> None:
    name = desk.account.name
    assert bank.account(desk.context, name) == desk.account
    assert bank.account(desk.context, str(desk.account.account_id)) == desk.account
    assert desk.account in bank.accounts(desk.context)
    other = replace(FORMAT, separator=";")
    changed = bank.set_account(desk.context, name, other, NOW)
    assert (changed.account_id, changed.format) == (desk.account.account_id, other)
    with pytest.raises(InvalidFields):
        bank.set_account(desk.context, name, replace(FORMAT, decimal="x"), NOW)
    with pytest.raises(NotFound):
        bank.account(desk.context, "nobody")
    with pytest.raises(NotFound):
        bank.set_account(desk.context, name, FORMAT, NOW, org_id=987)
    with pytest.raises(InvalidInput):
        bank.imported(desk.context, desk.account.account_id, limit=0)


@pytest.mark.rule("M5")
def test_an_import_that_ends_in_the_middle_goes_on_with_the_same_file(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process dies after the money is posted and before the line's transaction ends."""
    (ada, first), (bob, second) = desk.billed(), desk.billed()
    real = bills.pay_within

    def pay(context: Context, tx: object, customer: object, bill: tables.Invoice, *rest: object):
        receipt = real(context, tx, customer, bill, *rest)  # type: ignore[arg-type]
        if bill.number == second:
            raise RuntimeError("the power is out")
        return receipt

    lines = (f"30 {first}", f"30 {second}", "1 x")
    monkeypatch.setattr(bills, "pay_within", pay)
    with pytest.raises(RuntimeError, match="power"):
        desk.take(*lines)
    assert (desk.left(first), desk.left(second), desk.payments(bob)) == (0, 3000, [])
    monkeypatch.undo()
    report = desk.take(*lines)
    assert (outcomes(report), report.known) == ([L.EXACT, L.UNKNOWN], 1)
    assert [len(desk.payments(who)) for who in (ada, bob)] == [1, 1]
    desk.check()


@pytest.mark.rule("R2")
def test_an_account_pays_for_its_organisation_and_those_below(desk: Desk) -> None:
    who, number = desk.billed()
    with desk.context.transaction() as tx:
        row = tables.Organisation(parent_org_id=1, name=f"Shop {number}", created_at=NOW)
        tx.add(row)
        tx.flush()
        org_id = row.org_id
    desk.account = bank.set_account(desk.context, "shop", FORMAT, NOW, org_id=org_id)
    mine = payment_reference(who.customer_id)
    assert outcomes(desk.take(f"30 {number}", f"1 {mine}")) == [L.UNKNOWN, L.UNKNOWN]
    assert (desk.left(number), desk.payments(who)) == (3000, [])
    waiting = [one for one in suspense.listed(desk.context, limit=500) if one.org_id == org_id]
    assert len(waiting) == 2


STATEMENTS_MOST = {"bill": 50, "customer": 50, "unknown": 6}
"""Of a line that pays a bill, is a customer's credit, or waits."""


@pytest.mark.parametrize("kind", list(STATEMENTS_MOST))
def test_a_line_takes_so_many_statements(desk: Desk, kind: str) -> None:
    people = [desk.billed() for _ in range(10)]
    lines = [
        {
            "bill": f"30 {number}",
            "customer": f"30 {payment_reference(who.customer_id)}",
            "unknown": f"{who.customer_id} somebody",
        }[kind]
        for who, number in people
    ]
    desk.take("1 before")
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        report = desk.take(*lines)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(report.lines) == 10
    assert len(seen) / 10 <= STATEMENTS_MOST[kind], len(seen)

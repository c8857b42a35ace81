"""Bank statements and money of nobody, in a real browser on a phone: a file tried and imported,
what waits matched, split, given back (rules P1, M5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from random import Random

import pytest
from playwright.sync_api import FilePayload, Page, expect

from billing.model.bank import BankFormat
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.staff import StaffRole
from billing.rules.bank_match import payment_reference
from billing.services import bank, bills, books, customer_record, customers, suspense, suspense_desk
from billing.services.context import Context
from billing.store import tables
from tests.web.conftest import PHONE, Desks, Visitor
from tests.web.isp import Isp
from tests.web.people import enrolled
from tests.web.test_payment_pages import SENT_FIVE_TIMES
from web.admin import bank_statements

CASHIER, SUPPORT = "bank@isp.example", "calls@isp.example"
FORMAT = BankFormat(
    date_column="Date",
    amount_column="Amount",
    payer_column="Payer",
    reference_columns=("Text",),
    currency="USD",
    sign_column="C/D",
    in_words=("CR",),
    out_words=("DR",),
)
UNIT = 1_000_000
_numbers = count(1)


@pytest.fixture(scope="module")
def account_id(context: Context, isp: Isp, began: datetime) -> int:
    enrolled(context, CASHIER, StaffRole.BILLING, began)
    enrolled(context, SUPPORT, StaffRole.SUPPORT, began)
    return bank.set_account(context, "main", FORMAT, began).account_id


@pytest.fixture
def cashier(desks: Desks, account_id: int, context: Context, began: datetime) -> Iterator[Visitor]:
    """On a phone."""
    visitor = desks.seat(CASHIER)
    visitor.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    yield visitor
    assert [text for text in visitor.complaints if "422" not in text] == []
    assert books.check_ledger(context, began).findings == ()


def send(page: Page) -> None:
    page.locator(".panel-form .panel-buttons button[type=submit]").click()


def upload(page: Page, body: bytes) -> None:
    file = FilePayload(name="march.csv", mimeType="text/csv", buffer=body)
    page.set_input_files("#file", file)
    send(page)


def keep(context: Context, units: int, note: str, now: datetime, currency: str = "USD") -> int:
    """The number of an amount of nobody."""
    reference = f"by hand {next(_numbers)}"
    came = Money(units * UNIT, currency)
    channel = MoneyChannel.BANK_TRANSFER
    assert suspense.receive(context, came, channel, reference=reference, note=note, now=now)
    found = suspense.listed(context, limit=500)
    return next(one.suspense_id for one in found if one.reference == reference)


def billed(context: Context, isp: Isp, name: str, now: datetime, units: int) -> tuple[int, str]:
    """A customer and its bill of so much."""
    profile_id = customers.get_customer(context, isp.customer_id).profile_id
    view = customers.add_customer(context, name=name, profile_id=profile_id, now=now)
    number = customers.add_subscription(
        context,
        customer_id=view.customer_id,
        username=f"payer{next(_numbers)}",
        password="correct horse",
        now=now,
    )
    bill = bills.issue_bill(
        context,
        number,
        cycle_from=now.date(),
        cycle_until=now.date() + timedelta(days=30),
        amount_micros=units * UNIT,
        now=now,
    )
    return view.customer_id, bill.number


@pytest.mark.rule("P1", "M5")
def test_a_statement_is_tried_imported_and_known_again(
    cashier: Visitor, context: Context, isp: Isp, account_id: int, began: datetime
) -> None:
    customer_id, bill = billed(context, isp, "Sven Dahl", began, 30)
    body = (
        "Date,Payer,Text,Amount,C/D\n"
        f"2026-03-02,Sven Dahl,{bill},30.00,CR\n"
        "2026-03-02,Somebody,a present,4.50,CR\n"
        "2026-03-03,The bank,fees,3.00,DR\n"
    ).encode()
    page = cashier.open("/bank")
    assert cashier.overflow() == 0
    page.get_by_role("link", name="main").click()
    expect(page.locator("input[type=file]")).to_be_visible()
    assert cashier.overflow() == 0
    upload(page, body)
    quote = page.locator("#quote")
    expect(quote).to_contain_text("30.00 USD would be credited")
    expect(quote).to_contain_text("4.50 USD would wait as money of nobody")
    expect(quote).to_contain_text("2 new, 0 imported before, 1 not money that came in")
    expect(page.locator("#lines tbody tr")).to_have_count(2)
    expect(page.locator("#lines")).to_contain_text(f"pays {bill}")
    assert cashier.overflow() == 0
    assert bank.imported(context, account_id) == []
    page.get_by_role("button", name="Import 2 lines").dblclick()
    expect(page.get_by_role("status").first).to_contain_text("1 credited, 1 wait")
    expect(page.locator("#lines tbody tr")).to_have_count(2)
    assert customer_record.open_bills(context, customer_id, began) == ()
    assert cashier.overflow() == 0
    upload(page, body)
    expect(page.locator("#quote")).to_contain_text("0 new, 2 imported before")
    expect(page.get_by_role("button", name="Import")).to_have_count(0)


@pytest.mark.rule("M5")
def test_a_long_statement_is_imported_in_parts(
    cashier: Visitor, context: Context, isp: Isp, account_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_statements, "IMPORTED_AT_ONCE", 2)
    reference = payment_reference(isp.customer_id)
    lines = [f"2026-03-07,Greta,{reference} {n},{n}.00,CR\n" for n in range(1, 6)]
    page = cashier.open(f"/bank/{account_id}")
    upload(page, "".join(("Date,Payer,Text,Amount,C/D\n", *lines)).encode())
    for words, left in (("2 credited", 3), ("2 credited", 1)):
        page.get_by_role("button", name="Import the first 2 lines").click()
        expect(page.get_by_role("status").first).to_contain_text(words)
        expect(page.get_by_role("status").first).to_contain_text(f"{left} lines are left: go on")
        expect(page.locator("#lines tbody tr")).to_have_count(left)
    page.get_by_role("button", name="Import 1 line").click()
    expect(page.get_by_role("status").first).to_contain_text("1 credited")
    came = [one for one in bank.imported(context, account_id) if one.payer == "Greta"]
    assert sum(one.amount_micros for one in came) == 15 * UNIT


def test_what_changed_since_the_file_was_tried_is_shown_again(
    cashier: Visitor, context: Context, isp: Isp, account_id: int, began: datetime
) -> None:
    customer_id, bill = billed(context, isp, "Tara Moss", began, 20)
    page = cashier.open(f"/bank/{account_id}")
    upload(page, f"Date,Payer,Text,Amount,C/D\n2026-03-05,Tara,{bill},20.00,CR\n".encode())
    bills.pay(
        context, bill, idempotency_key="at once", now=began, channel=MoneyChannel.CASH,
        customer_id=customer_id,
    )  # fmt: skip
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("has changed since you looked")
    expect(page.locator("#lines")).to_contain_text(f"nothing of {bill} is left to pay")
    assert all(one.payer != "Tara" for one in bank.imported(context, account_id))
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("0 credited, 1 wait")
    # A file that somebody has changed on its way is not taken.
    upload(page, f"Date,Payer,Text,Amount,C/D\n2026-03-05,Tara,{bill},21.00,CR\n".encode())
    page.evaluate("document.querySelector('[name=packed]').value = 'no file'")
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("did not come back whole")


def test_a_file_that_is_none_and_lines_that_are_bad_are_named(
    cashier: Visitor, context: Context, account_id: int
) -> None:
    known = bank.imported(context, account_id)
    page = cashier.open(f"/bank/{account_id}")
    send(page)
    expect(page.locator("#field-file")).to_contain_text("Choose a file that holds something")
    for body, words in (
        (b"%PDF-1.7 \xff\xfe", "Is not written in utf-8"),
        (b"PK\x03\x04", "Is a ZIP archive: unpack it"),
        (b"a;b\n", "No line names the columns Date, Amount, Text"),
        (b"<a/>", "Must be a statement (camt.053) or a notification (camt.054); it is <a>"),
        (b"Datum;Betrag\n", "set the account's format as the bank writes"),
        (Random(5).randbytes(400_000), "Is too long for this page"),
    ):
        upload(page, body)
        expect(page.locator("#field-file")).to_contain_text(words)
    header = b"Date,Payer,Text,Amount,C/D\n2026-03-02,A,x,1.00,CR\n"
    upload(page, header + b"3.3.26,B,y,1.00,CR\n2026-03-02,C,z,1,XX\n")
    lines = page.locator("#bad li")
    expect(page.locator("#content")).to_contain_text("2 bad lines: nothing was imported")
    expect(lines.nth(0)).to_contain_text("line 3, Date: '3.3.26' is no day written YYYY-MM-DD")
    expect(lines.nth(1)).to_contain_text("line 4, C/D")
    assert cashier.overflow() == 0
    assert bank.imported(context, account_id) == known


def test_an_owner_says_how_the_bank_writes(at_desk: Visitor, context: Context) -> None:
    page = at_desk.open("/bank/new")
    page.fill("#name", "second bank")
    for field, value in (("date_column", "Tag"), ("date_format", "DD.MM"),
                         ("amount_column", "Betrag"), ("sign_column", "S/H"),
                         ("reference_columns", "Zweck 1\nZweck 2")):  # fmt: skip
        page.fill(f"#{field}", value)
    send(page)
    expect(page.locator("#field-date_format")).to_contain_text("Write it with DD, MM and YYYY")
    expect(page.locator("#field-in_words")).to_contain_text("when money came in")
    expect(page.locator("#field-out_words")).to_contain_text("when money went out")
    page.fill("#date_format", "DD.MM.YYYY")
    page.fill("#in_words", "H")
    page.fill("#out_words", "S")
    page.select_option("#decimal", ",")
    page.select_option("#separator", "\t")
    send(page)
    expect(page.locator("h1")).to_have_text("second bank")
    found = bank.account(context, "second bank")
    assert found.format == BankFormat(
        date_column="Tag", amount_column="Betrag", sign_column="S/H", in_words=("H",),
        out_words=("S",), reference_columns=("Zweck 1", "Zweck 2"), currency="USD",
        decimal=",", date_format="DD.MM.YYYY", separator="\t",
    )  # fmt: skip
    page.get_by_role("link", name="How the bank writes").click()
    expect(page.locator("#sign_column")).to_have_value("S/H")
    page.fill("#payer_column", "Name")
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("It is kept how the bank writes")
    assert bank.account(context, "second bank").format.payer_column == "Name"
    at_desk.open("/bank/new")
    page.fill("#name", "second bank")
    for field in ("date_column", "amount_column", "reference_columns"):
        page.fill(f"#{field}", "x")
    send(page)
    expect(page.locator("#field-name")).to_contain_text("is called so already")
    assert [text for text in at_desk.complaints if "422" not in text] == []


@pytest.mark.rule("P1", "I4", "M5")
def test_what_waits_is_proposed_matched_split_and_given_back(
    cashier: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    customer_id, bill = billed(context, isp, "Uma Prakash", began, 41)
    number = keep(context, 50, "PRAKASH UMA: internet", began)
    page = cashier.open("/suspense")
    assert cashier.overflow() == 0
    page.get_by_role("link", name="Show all").click()
    page = cashier.open(f"/suspense/{number}")
    may = page.locator("#proposals tbody tr")
    expect(may).to_have_count(1)
    expect(may).to_contain_text("Uma Prakash")
    expect(may).to_contain_text("is called so")
    assert cashier.overflow() == 0
    may.get_by_role("link", name="Match").click()
    expect(page.locator("#customer")).to_have_value(str(customer_id))
    page.fill("#number", bill.lower())
    page.fill("#amount", "50.01")
    send(page)
    expect(page.locator("#field-amount")).to_contain_text("50.00 USD is left of it")
    page.fill("#amount", "41.00")
    send(page)
    quote = page.locator("#quote")
    expect(quote).to_contain_text("41.00 USD is Uma Prakash’s")
    expect(quote).to_contain_text(f"Paid in full: {bill}")
    assert cashier.overflow() == 0
    assert suspense_desk.show(context, number).moves == ()
    assert set(page.evaluate(SENT_FIVE_TIMES)) == {200}
    case = suspense_desk.show(context, number)
    assert [(one.amount_micros, one.actor) for one in case.moves] == [(41 * UNIT, CASHIER)]
    assert customer_record.open_bills(context, customer_id, began) == ()
    cashier.open(f"/suspense/{number}")
    expect(page.locator("#left")).to_have_text("9.00 USD left")
    page.get_by_role("link", name="Give back").click()
    page.fill("#amount", "4.00")
    send(page)
    expect(page.locator("#field-note")).to_contain_text("Must be filled in")
    page.fill("#note", "to the account that it came from")
    statuses = page.evaluate(SENT_FIVE_TIMES)
    assert sorted(statuses) == [200, 422, 422, 422, 422]
    assert suspense_desk.show(context, number).money.left_micros == 5 * UNIT
    cashier.open(f"/suspense/{number}")
    expect(page.locator("#moves tbody tr")).to_have_count(2)
    expect(page.locator("#moves")).to_contain_text("given back: to the account")
    assert cashier.overflow() == 0


@pytest.mark.rule("P1", "P5")
def test_what_cannot_be_matched_says_why(
    cashier: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    customer_id, bill = billed(context, isp, "Vera Lund", began, 10)
    with context.transaction() as tx:
        row = tables.Organisation(parent_org_id=1, name="Beside", created_at=began)
        tx.add(row)
        tx.flush()
        org_id = row.org_id
    euros = keep(context, 10, payment_reference(customer_id), began, "EUR")
    below = replace(context, home_org_id=org_id)
    beside = keep(below, 10, "of another organisation", began)
    page = cashier.page
    for number, customer, what, field, words in (
        (euros, str(customer_id), "", "customer", "The wallet is in USD"),
        (euros, str(customer_id), bill, "number", f"{bill} is in USD"),
        (euros, str(customer_id), "INV-99999", "number", "No bill has the number"),
        (euros, str(customer_id), "PRE-99999", "number", "No prepayment invoice"),
        (euros, "Nobody Atall", "", "customer", "Nobody Atall"),
        (beside, str(customer_id), bill, "customer", "It came to another organisation"),
    ):  # fmt: skip
        cashier.open(f"/suspense/{number}/match")
        page.fill("#customer", customer)
        page.fill("#number", what)
        send(page)
        expect(page.locator(f"#field-{field}")).to_contain_text(words)
    assert suspense_desk.show(context, euros).moves == ()
    cashier.open(f"/suspense/{euros}")
    expect(page.locator("#proposals")).to_contain_text("Nothing that is known points at anybody")


def test_support_looks_and_moves_nothing(
    desks: Desks, account_id: int, context: Context, began: datetime
) -> None:
    visitor = desks.seat(SUPPORT)
    page = visitor.page
    number = keep(context, 1, "asked for on the phone", began)
    visitor.open(f"/suspense/{number}")
    expect(page.get_by_role("link", name="Match")).to_have_count(0)
    visitor.open(f"/bank/{account_id}")
    expect(page.locator("#file")).to_have_count(0)
    for path in (f"/suspense/{number}/match", f"/suspense/{number}/return", "/bank/new",
                 f"/bank/{account_id}/format"):  # fmt: skip
        assert page.request.get(f"{visitor.base_url}{path}").status == 403, path
    assert page.request.get(f"{visitor.base_url}/suspense/999999").status == 404
    assert page.request.get(f"{visitor.base_url}/bank/999999").status == 404
    assert visitor.complaints == []

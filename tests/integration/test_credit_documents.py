"""Credit notes as documents, and letterheads that stay as they were at issue (rules I2, I3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from billing.errors import InvalidFields, InvalidInput, NotFound
from billing.model.commerce import MoneyChannel
from billing.model.credits import CreditNoteView
from billing.model.documents import CreditDocument, DocumentLine, Party, TaxTotal
from billing.model.messages import MessageKind
from billing.model.views import InvoiceView
from billing.services import bill_run, bills, credits, documents, letterhead, messages
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from billing.store.pool import Database
from tests.documents.paper import text_of
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.conftest import Run

VAT = 210_000
TAXED = replace(MONTHLY, cycle_day=10, tax_rate_ppm=VAT, tax_inclusive=False)
NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
LATER = datetime(2026, 3, 25, 9, tzinfo=UTC)


@pytest.fixture
def owner(make: Factory) -> Subscriber:
    return make.subscriber(NOW, profile=TAXED, plan=MONTH_PLAN)


def billed(context: Context, owner: Subscriber, month: int = 3) -> InvoiceView:
    return bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=date(2026, month, 10),
        cycle_until=date(2026, month + 1, 10),
        amount_micros=10_000_000,
        now=NOW,
        text="Home 50",
    )


def credited(
    context: Context, bill: InvoiceView, amount_micros: int | None = None
) -> CreditNoteView:
    return credits.credit(
        context,
        bill.number,
        reason="charged by mistake",
        idempotency_key=f"credit {amount_micros}",
        now=LATER,
        amount_micros=amount_micros,
    )


def note_document(context: Context, note: CreditNoteView) -> CreditDocument:
    return documents.credit_by_number(context, note.customer_id, note.number)


@pytest.mark.rule("I2")
def test_a_bill_taken_back_whole_is_taken_back_line_by_line(
    context: Context, owner: Subscriber
) -> None:
    bill = billed(context, owner)
    found = note_document(context, credited(context, bill))
    assert found.lines == (
        DocumentLine(text="Home 50", net_micros=10_000_000, tax_rate_ppm=VAT, tax_micros=2_100_000),
    )
    assert found.tax_totals == (
        TaxTotal(tax_rate_ppm=VAT, net_micros=10_000_000, tax_micros=2_100_000),
    )
    assert (found.bill_number, found.billed_on) == (bill.number, date(2026, 3, 10))
    assert (found.issued_on, found.reason) == (date(2026, 3, 25), "charged by mistake")
    assert (found.total_micros, found.to_wallet_micros, found.open_micros) == (12_100_000, 0, 0)
    assert documents.by_number(context, found.number, org_id=1) == found
    assert documents.by_number(context, bill.number, org_id=1).open_micros == 0


@pytest.mark.rule("I2")
def test_parts_add_up_to_the_bill(context: Context, owner: Subscriber) -> None:
    bill = billed(context, owner)
    bills.pay(
        context,
        bill.number,
        idempotency_key="paid",
        amount_micros=9_000_000,
        channel=MoneyChannel.CASH,
        now=NOW,
    )
    notes = [credited(context, bill, 5_000_000), credited(context, bill)]
    first, second = (note_document(context, note) for note in notes)
    assert [one.to_wallet_micros for one in (first, second)] == [1_900_000, 7_100_000]
    for one in (first, second):
        (line,), (totals,) = one.lines, one.tax_totals
        assert line.text == f"Part of {bill.number}"
        assert line.net_micros == totals.net_micros
        assert totals.net_micros + totals.tax_micros + one.rounding_micros == one.total_micros
    assert sum(one.tax_totals[0].net_micros for one in (first, second)) == 10_000_000
    assert sum(one.tax_totals[0].tax_micros for one in (first, second)) == 2_100_000


def test_what_is_not_there_is_told(context: Context, owner: Subscriber, make: Factory) -> None:
    note = credited(context, billed(context, owner))
    other = make.subscriber(NOW, profile=TAXED, plan=MONTH_PLAN)
    with pytest.raises(NotFound):
        documents.credit_by_number(context, other.customer_id, note.number)
    with pytest.raises(NotFound, match="CN-999999"):
        documents.by_number(context, "CN-999999")


@pytest.mark.rule("I2", "I3")
def test_the_command_line_writes_a_credit_note_by_its_number(
    context: Context, owner: Subscriber, run: Run, tmp_path: Path
) -> None:
    note = credited(context, billed(context, owner))
    for size in ("a4", "receipt"):
        file = tmp_path / f"{size}.pdf"
        done = run("bill", "pdf", note.number, "--size", size, "--out", str(file))
        assert done == (0, f"credit note {note.number} is in {file}\n", "")
        text = text_of(file.read_bytes())
        assert note.number in text and note.invoice_number in text and "12.10" in text


@pytest.mark.rule("I2")
def test_the_customer_is_told_of_a_credit_note_once(context: Context, owner: Subscriber) -> None:
    messages.set_alerts(context, owner.customer_id, NOW, addresses=["ada@mail.example"])
    bill = billed(context, owner)
    note = credited(context, bill, 5_000_000)
    assert credited(context, bill, 5_000_000).repeated
    told = [
        one
        for one in messages.listed(context, customer_id=owner.customer_id)
        if one.kind is MessageKind.CREDIT_NOTE
    ]
    assert len(told) == 1
    with context.transaction() as tx:
        row = tx.scalars(
            select(tables.Message).where(tables.Message.message_id == told[0].message_id)
        ).one()
        assert row.facts == {
            "number": note.number,
            "invoice_number": bill.number,
            "currency": "USD",
            "total_micros": 5_000_000,
            "to_wallet_micros": 0,
            "reason": "charged by mistake",
        }


@pytest.mark.rule("I2")
def test_what_was_issued_says_for_ever_what_it_said(context: Context, owner: Subscriber) -> None:
    letterhead.set_of_organisation(context, 1, address_lines=["1 Old Road"], tax_id="T1", now=NOW)
    letterhead.set_of_customer(context, owner.customer_id, address_lines=["Hill 4"], now=NOW)
    bill = billed(context, owner)
    note = credited(context, bill, 1_000_000)
    before = [documents.by_number(context, one.number, org_id=1) for one in (bill, note)]
    letterhead.set_of_organisation(context, 1, address_lines=["2 New Road"], tax_id="T2", now=LATER)
    letterhead.set_of_customer(
        context, owner.customer_id, address_lines=["Lake 9"], tax_id="X9", country="fr", now=LATER
    )
    with context.transaction() as tx:
        tx.execute(
            update(tables.Customer)
            .where(tables.Customer.customer_id == owner.customer_id)
            .values(name="Renamed", email="new@mail.example", phone="+15550199")
        )
    after = [documents.by_number(context, one.number, org_id=1) for one in (bill, note)]
    assert after == before
    assert {one.seller.address_lines for one in after} == {("1 Old Road",)}
    assert {one.buyer.address_lines for one in after} == {("Hill 4",)}
    new = documents.by_number(context, billed(context, owner, 4).number, org_id=1)
    assert new.seller == Party(name="Test ISP", address_lines=("2 New Road",), tax_id="T2")
    assert new.buyer == Party(
        name="Renamed",
        address_lines=("Lake 9",),
        tax_id="X9",
        country="FR",
        email="new@mail.example",
        phone="+15550199",
    )
    late = note_document(context, credited(context, bill, 2_000_000))
    assert (late.buyer, late.seller) == (new.buyer, new.seller)


@pytest.mark.rule("I2", "B7")
def test_the_bill_run_writes_a_version_only_where_something_changed(
    context: Context, make: Factory
) -> None:
    profile = replace(TAXED, automatic_bill=True)
    owners = [make.subscriber(NOW, profile=profile, plan=MONTH_PLAN) for _ in range(3)]
    letterhead.set_of_customer(context, owners[0].customer_id, address_lines=["Lake 9"], now=NOW)
    bill_run.run(context, datetime(2026, 6, 1, 1, tzinfo=UTC))
    head = tables.CustomerLetterhead
    with context.transaction() as tx:
        found = dict(
            tx.execute(
                select(head.customer_id, func.count())
                .where(head.customer_id.in_([one.customer_id for one in owners]))
                .group_by(head.customer_id)
            ).all()
        )
    assert [found[one.customer_id] for one in owners] == [2, 1, 1]
    bill = tables.Invoice
    with context.transaction() as tx:
        numbers = tx.scalars(
            select(bill.number)
            .where(bill.customer_id == owners[0].customer_id)
            .order_by(bill.invoice_id.desc())
        ).all()
    lines = [
        documents.by_number(context, number, org_id=1).buyer.address_lines for number in numbers
    ]
    assert lines == [("Lake 9",), ("Lake 9",), ("Lake 9",), ()]


def test_countries_and_the_switch_are_checked_by_name(context: Context, run: Run) -> None:
    with pytest.raises(InvalidInput, match="like DE") as caught:
        letterhead.set_of_organisation(context, 1, country="Germany", now=NOW)
    assert caught.value.field == "country"
    with pytest.raises(InvalidInput):
        letterhead.set_of_organisation(context, 1, country="XQ", now=NOW)
    letterhead.set_of_organisation(context, 1, address_lines=[], tax_id="", country="", now=NOW)
    with pytest.raises(InvalidFields) as missing:
        letterhead.set_of_organisation(context, 1, e_invoice=True, now=NOW)
    assert [field for field, _ in missing.value.problems] == ["address_line", "country", "tax_id"]
    done = run(
        *("organisation", "set", "--address-line", "1 Tower Road", "--country", "es"),
        *("--tax-id", "ES B-12345678", "--e-invoice"),
    )
    assert done == (0, "Test ISP\n1 Tower Road\ncountry ES\ntax number ES B-12345678\n", "")
    code, _, err = run("organisation", "set", "--tax-id", "12/345")
    assert code == 2 and "tax_id" in err and "VAT number" in err
    assert run("organisation", "set", "--no-e-invoice", "--tax-id", "12/345")[0] == 0


@pytest.mark.rule("R2", "F16")
def test_the_panel_reads_its_own_organisations_credit_notes_only(
    context: Context, settings: Settings, owner: Subscriber
) -> None:
    note = credited(context, billed(context, owner))
    database = Database(settings.dsn("panel"))
    try:
        ours = replace(context, db=database, org_ids=(1,))
        assert note_document(ours, note) == note_document(context, note)
        with pytest.raises(NotFound):
            note_document(replace(ours, org_ids=(2,)), note)
    finally:
        database.close()

"""The paper that a mail speaks of goes with it as PDF, over real SMTP (rule I3)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import partial

import pytest

from billing.cli.mailed_papers import attached
from billing.jobs import mailer
from billing.model.commerce import MoneyChannel
from billing.model.designs import InvoiceDesign
from billing.model.messages import MessageDraft, MessageKind
from billing.services import bill_run, credits, designs, sales, statement_run, statements
from billing.services import messages as services
from billing.services.context import Context
from billing.store import messages as store
from billing.store import tables
from tests.documents.paper import text_of
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.mail_server import MailServer

TENTH = replace(MONTHLY, cycle_day=10, automatic_bill=True)
HOME = replace(MONTH_PLAN, plan_name="Home", price_micros=30_000_000)
CREATED = datetime(2026, 3, 18, 12, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, 0, 11, tzinfo=UTC)
OWN = "bills@own.example"


@pytest.fixture
def server() -> Iterator[MailServer]:
    opened = MailServer()
    opened.start()
    yield opened
    opened.stop()


@pytest.fixture
def owner(context: Context, make: Factory) -> Subscriber:
    made = make.subscriber(CREATED, profile=TENTH, plan=HOME)
    services.set_alerts(
        context, made.customer_id, CREATED, addresses=[f"{made.username}@net.example"]
    )  # fmt: skip
    return made


def arrived(
    context: Context, server: MailServer, owner: Subscriber
) -> list[tuple[EmailMessage, dict[str, bytes]]]:
    """Mails, and what goes with each."""
    papers = partial(attached, context)
    stop = threading.Event()
    while mailer.tick(context, server.channel, "b@x.example", stop, lambda: APRIL, papers):
        pass
    return [
        (mail, {one.get_filename() or "": one.get_content() for one in mail.iter_attachments()})
        for mail in server.to(f"{owner.username}@net.example")
    ]


def newest(context: Context, owner: Subscriber) -> tables.Invoice:
    row = tables.Invoice
    with context.transaction() as tx:
        found = tx.query(row).where(row.customer_id == owner.customer_id)
        return found.order_by(row.invoice_id.desc()).first()


@pytest.mark.rule("I3")
def test_a_bill_comes_as_pdf_from_the_operators_own_address(
    context: Context, owner: Subscriber, server: MailServer
) -> None:
    services.set_sender(context, context.home_org_id, OWN, CREATED)
    try:
        bill_run.run(context, APRIL)
        ((mail, papers),) = arrived(context, server, owner)
    finally:
        services.set_sender(context, context.home_org_id, None, CREATED)
    assert mail["From"] == f"Test ISP <{OWN}>"
    number = newest(context, owner).number
    assert list(papers) == [f"{number}.pdf"]
    text = text_of(papers[f"{number}.pdf"])
    for words in (f"Invoice {number}", f"Customer {owner.username}", "30.00"):
        assert words in text, words
    body = mail.get_body(("plain",))
    assert body is not None and number in body.get_content()


@pytest.mark.rule("I3")
def test_credit_notes_receipts_and_statements_come_too(
    context: Context, owner: Subscriber, server: MailServer
) -> None:
    credits.credit(
        context,
        newest(context, owner).number,
        reason="a day off",
        idempotency_key="off",
        now=APRIL,
        amount_micros=2_000_000,
    )
    sales.topup(
        context,
        owner.customer_id,
        5_000_000,
        channel=MoneyChannel.CASH,
        idempotency_key="paid",
        now=APRIL,
    )
    statements.set_monthly(context, owner.customer_id, True, CREATED)
    statement_run.run(context, APRIL)
    found = {
        name: text_of(octets)
        for _, papers in arrived(context, server, owner)
        for name, octets in papers.items()
    }
    titles = {name.split("-")[0]: text for name, text in found.items()}
    assert "Credit note CN-" in titles["CN"] and "a day off" in titles["CN"]
    assert "Receipt RC-" in titles["RC"] and "5.00" in titles["RC"]
    assert "Statement of account" in titles["2026"] and "31 Mar 2026" in titles["2026"]


def test_a_paper_that_cannot_be_set_does_not_keep_the_mails(
    context: Context, owner: Subscriber, make: Factory, server: MailServer
) -> None:
    facts = {"number": "NO-1", "invoice_number": None, "amount_micros": 1, "currency": "USD"}
    draft = MessageDraft(
        customer_id=owner.customer_id,
        kind=MessageKind.PAYMENT_RECEIVED,
        idempotency_key="lost",
        facts=facts,
    )
    with context.transaction() as tx:
        store.queue(tx, [draft], APRIL)
    designs.save(context, 1, InvoiceDesign(css="body { padding: 1px }"), CREATED)
    try:
        bill_run.run(context, APRIL)
        with_paper = [bool(papers) for _, papers in arrived(context, server, owner)]
    finally:
        designs.reset(context, 1, CREATED)
    assert sorted(with_paper) == [False, True]


def test_who_must_hear_at_once_does_not_wait_for_papers(
    context: Context, owner: Subscriber, server: MailServer
) -> None:
    draft = MessageDraft(
        customer_id=owner.customer_id,
        kind=MessageKind.RESTORED,
        idempotency_key="back",
        facts={"username": owner.username},
    )
    bill_run.run(context, APRIL)
    with context.transaction() as tx:
        store.queue(tx, [draft], APRIL)
    stop = threading.Event()
    sent = partial(mailer.tick, context, server.channel, "b@x.example", stop, lambda: APRIL)
    assert [sent(with_paper=False), sent(with_paper=False)] == [1, 0]
    (at_once,) = server.to(f"{owner.username}@net.example")
    assert not list(at_once.iter_attachments())
    assert sent(papers=partial(attached, context), with_paper=True) == 1
    _, bill = server.to(f"{owner.username}@net.example")
    assert len(list(bill.iter_attachments())) == 1

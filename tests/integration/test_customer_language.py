"""A customer reads mail over real SMTP, bills, receipts and statements in its own language."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.documents.html import receipt_to_html
from billing.documents.pdf import bill_to_pdf, statement_to_pdf, to_pdf
from billing.jobs import mailer
from billing.model.commerce import MoneyChannel
from billing.model.documents import Paper
from billing.model.messages import MessageDraft, MessageKind
from billing.services import (
    bill_run,
    documents,
    letterhead,
    message_templates,
    receipts,
    sales,
    statements,
)
from billing.services import messages as services
from billing.services.context import Context
from billing.store import messages as store
from billing.store import tables
from tests.documents.paper import text_of
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.mail_server import MailServer

TENTH = replace(MONTHLY, cycle_day=10, automatic_bill=True)
HOME = replace(MONTH_PLAN, plan_name="Hogar", price_micros=30_000_000)
CREATED = datetime(2026, 3, 18, 12, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, 0, 11, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[MailServer]:
    opened = MailServer()
    opened.start()
    yield opened
    opened.stop()


@pytest.fixture
def greta(context: Context, make: Factory) -> Subscriber:
    made = make.subscriber(CREATED, profile=TENTH, plan=HOME)
    speaks(context, made, "es-MX")
    return made


def speaks(context: Context, who: Subscriber, language: str) -> None:
    address = f"{who.username}@net.example"
    services.set_alerts(
        context, who.customer_id, CREATED, addresses=[address], language=language
    )  # fmt: skip


def send(context: Context, server: MailServer, now: datetime) -> None:
    while mailer.tick(context, server.channel, "b@net.example", threading.Event(), lambda: now):
        pass


def mails(server: MailServer, who: Subscriber) -> list[tuple[str, str, str]]:
    """Subject, text and HTML of each that has arrived."""
    found = []
    for mail in server.to(f"{who.username}@net.example"):
        text, page = (part.get_content() for part in mail.iter_parts())
        found.append((mail["Subject"], text, page))
    return found


def test_a_bill_is_mailed_and_printed_in_the_customers_language(
    context: Context, greta: Subscriber, server: MailServer
) -> None:
    bill_run.run(context, APRIL)
    send(context, server, APRIL)
    ((subject, text, page),) = mails(server, greta)
    assert subject.startswith("Factura INV-")
    assert subject.endswith(" de Test ISP: 30,00 US$")
    assert text.startswith("Hola, Customer ")
    assert "del 10 de abril de 2026 al 9 de mayo de 2026." in text
    assert "Por pagar: 30,00\xa0US$\r\nHasta:     11 de abril de 2026" in text
    assert "Recibe este mensaje como cliente de Test ISP." in page
    number = subject.split()[1].removesuffix(":")
    paper = text_of(bill_to_pdf(documents.by_number(context, number, org_id=1)))
    for words in (f"Factura {number}", "Pagadera hasta", "10 abr 2026 – 9 may 2026", "30,00 USD"):
        assert words in paper, words
    assert "del 10 abr 2026 al 10 may 2026" in paper


@pytest.mark.parametrize("kind", list(MessageKind))
def test_every_kind_arrives_in_it(
    context: Context, greta: Subscriber, server: MailServer, kind: MessageKind
) -> None:
    from billing.messages.samples import SAMPLES

    draft = MessageDraft(
        customer_id=greta.customer_id, kind=kind, idempotency_key=f"k{kind}", facts=SAMPLES[kind]
    )
    with context.transaction() as tx:
        store.queue(tx, [draft], APRIL)
    send(context, server, APRIL)
    ((_, text, page),) = mails(server, greta)
    assert text.startswith("Hola, ")
    assert "Hola, " in page
    assert "Hello" not in text + page


@pytest.mark.rule("I2", "I3")
def test_what_was_issued_stays_in_the_language_of_that_day(
    context: Context, greta: Subscriber
) -> None:
    bill_run.run(context, APRIL)
    issued = newest(context, greta)
    speaks(context, greta, "en")
    assert documents.by_number(context, issued, org_id=1).buyer.language == "es_MX"
    bill_run.run(context, APRIL + timedelta(days=30))
    assert documents.by_number(context, newest(context, greta), org_id=1).buyer.language == "en"


@pytest.mark.rule("I2", "I6")
def test_a_receipt_says_what_both_sides_were_called_when_it_was_issued(
    context: Context, greta: Subscriber
) -> None:
    letterhead.set_of_customer(context, greta.customer_id, address_lines=["Old 1"], now=CREATED)
    letterhead.set_of_organisation(context, 1, tax_id="OLD", now=CREATED)
    numbers = [top_up(context, greta, "before")]
    letterhead.set_of_customer(context, greta.customer_id, address_lines=["New 2"], now=APRIL)
    letterhead.set_of_organisation(context, 1, tax_id="NEW", now=APRIL)
    speaks(context, greta, "en")
    numbers.append(top_up(context, greta, "after"))
    before, after = (receipts.by_number(context, number, org_id=1) for number in numbers)
    assert (before.buyer.address_lines, before.seller.tax_id) == (("Old 1",), "OLD")
    assert (after.buyer.address_lines, after.seller.tax_id) == (("New 2",), "NEW")
    old, new = (
        text_of(to_pdf(receipt_to_html(one, Paper.RECEIPT), Paper.RECEIPT))
        for one in (before, after)
    )
    for words in ("Recibo", "Recarga de saldo", "12,50", "transferencia bancaria", "NIF OLD"):
        assert words in old, words
    for words in ("Receipt", "Credit to the wallet", "12.50", "bank transfer", "Tax number NEW"):
        assert words in new, words


def test_a_statement_is_in_it(context: Context, greta: Subscriber) -> None:
    top_up(context, greta, "one")
    made = statements.statement(
        context, greta.customer_id, date(2026, 3, 1), date(2026, 3, 31)
    )  # fmt: skip
    text = text_of(statement_to_pdf(made))
    for words in ("Extracto de cuenta", "Saldo anterior", "Factura INV-", "Pago, transferencia"):
        assert words in text, words


def test_an_own_english_template_is_not_sent_to_who_speaks_another_language(
    context: Context, greta: Subscriber, make: Factory, server: MailServer
) -> None:
    english = make.subscriber(CREATED, profile=TENTH, plan=HOME)
    speaks(context, english, "en")
    french = make.subscriber(CREATED, profile=TENTH, plan=HOME)
    speaks(context, french, "fr")
    kind = MessageKind.RESTORED
    message_templates.save(
        context, kind, "en", "<mjml><mj-body /></mjml>", "Subject: ours\n\nEnglish\n", CREATED
    )
    try:
        with context.transaction() as tx:
            drafts = [
                MessageDraft(
                    customer_id=who.customer_id,
                    kind=kind,
                    idempotency_key="back",
                    facts={"username": "x"},
                )
                for who in (greta, english, french)
            ]
            store.queue(tx, drafts, APRIL)
        send(context, server, APRIL)
        assert [mails(server, who)[0][0] for who in (greta, english, french)] == [
            "Su servicio x vuelve a funcionar", "ours", "ours",
        ]  # fmt: skip
    finally:
        message_templates.reset(context, kind, "en", CREATED)


def top_up(context: Context, who: Subscriber, key: str) -> str:
    number = sales.topup(
        context,
        who.customer_id,
        12_500_000,
        channel=MoneyChannel.BANK_TRANSFER,
        idempotency_key=key,
        now=CREATED,
    ).receipt_number
    assert number is not None
    return number


def newest(context: Context, who: Subscriber) -> str:
    """The number of the newest bill."""
    with context.transaction() as tx:
        rows = tx.query(tables.Invoice).where(tables.Invoice.customer_id == who.customer_id)
        return str(rows.order_by(tables.Invoice.invoice_id.desc()).first().number)

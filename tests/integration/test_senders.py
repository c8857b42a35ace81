"""Whom the mails to a reseller's customers come from, and what stands below them: set by its owner,
an address only when its mails are read by him (rules R1, R2, I3)."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from email.message import EmailMessage

import pytest

from billing.errors import InvalidInput, NotFound, Refused
from billing.jobs import mailer
from billing.model.messages import MessageDraft, MessageKind
from billing.services import brands, customers, messages, senders
from billing.services.context import Context
from billing.settings import Settings
from billing.store import messages as store
from billing.store import tables
from tests.factories import Factory
from tests.integration.mail_server import MailServer
from tests.integration.reseller_world import NOON, Shop, Trade, opened

pytestmark = pytest.mark.rule("R1")
FROM = "bills@net.example"
PORTAL = "https://portal.example/my/"
ADDRESS = "billing@shop.example"


@pytest.fixture
def trade(context: Context, make: Factory, settings: Settings) -> Iterator[Trade]:
    yield from opened(context, make, settings)


@pytest.fixture
def server() -> Iterator[MailServer]:
    opened = MailServer()
    opened.start()
    yield opened
    opened.stop()


def _send(trade: Trade, server: MailServer, now: datetime = NOON) -> None:
    worker = replace(trade.context, portal_url=PORTAL)
    while mailer.tick(worker, server.channel, FROM, threading.Event(), lambda: now):
        pass


def _text(mail: EmailMessage, kind: str = "plain") -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def _code(trade: Trade, server: MailServer, address: str, now: datetime = NOON) -> str:
    """What the newest mail to an address says."""
    _send(trade, server, now)
    found = re.search(r"^    (\d{8})$", _text(server.to(address)[-1]), re.MULTILINE)
    assert found is not None
    return found[1]


def _told(trade: Trade, shop: Shop, server: MailServer, language: str = "en") -> EmailMessage:
    """The mail that a customer of the shop gets."""
    subscription_id = trade.customer(shop)
    customer_id = customers.customer_of(trade.context, subscription_id)
    address = f"c{customer_id}@mail.example"
    messages.set_alerts(
        trade.context, customer_id, NOON, addresses=[address], language=language
    )  # fmt: skip
    facts = {"username": "ada", "reason": "expired", "recharge_url": PORTAL}
    draft = MessageDraft(
        customer_id=customer_id,
        kind=MessageKind.EXHAUSTED,
        idempotency_key="told",
        facts=facts,
    )
    with trade.context.transaction() as tx:
        store.queue(tx, [draft], NOON)
    _send(trade, server)
    (mail,) = server.to(address)
    return mail


def test_mails_come_from_an_address_when_its_code_has_come_back(
    trade: Trade, server: MailServer
) -> None:
    shop = trade.child
    asked = senders.change(shop.staff, shop.org_id, NOON, name="Corner shop", address=ADDRESS)
    assert (asked.name, asked.address, asked.asked) == ("Corner shop", None, ADDRESS)
    code = _code(trade, server, ADDRESS)
    # The name counts at once; the address not yet, and the code stands in no table.
    assert _told(trade, shop, server)["From"] == f"Corner shop <{FROM}>"
    (row,) = trade.rows(
        "SELECT m.facts::text, m.addresses, s::text FROM message m, sender_check s"
        " WHERE m.kind = 'sender_check' AND s.org_id = m.org_id AND m.org_id = %s", shop.org_id
    )  # fmt: skip
    assert code not in str(row) and row[1] == [ADDRESS]
    wrong = f"{(int(code) + 1) % 10**8:08d}"
    with pytest.raises(InvalidInput, match="not the code"):
        senders.prove(shop.staff, shop.org_id, wrong, NOON)
    done = senders.prove(shop.staff, shop.org_id, f" {code[:4]} {code[4:]} ", NOON)
    assert (done.address, done.asked) == (ADDRESS, None)
    mail = _told(trade, shop, server)
    assert mail["From"] == f"Corner shop <{ADDRESS}>"
    assert mail["Message-ID"].endswith("@shop.example>")
    # Its code is good once; others' mails come from where they did.
    with pytest.raises(NotFound, match="no code is awaited"):
        senders.prove(shop.staff, shop.org_id, code, NOON)
    assert _told(trade, trade.stranger, server)["From"].endswith(f"<{FROM}>")
    gone = senders.change(shop.staff, shop.org_id, NOON, name="", address=" ")
    assert (gone.name, gone.address) == (None, None)
    assert _told(trade, shop, server)["From"].endswith(f"<{FROM}>")


def test_a_code_is_of_one_address_one_organisation_and_a_day(
    trade: Trade, server: MailServer
) -> None:
    shop, other = trade.child, trade.stranger
    senders.change(shop.staff, shop.org_id, NOON, name=None, address=ADDRESS)
    code = _code(trade, server, ADDRESS)
    senders.change(other.staff, other.org_id, NOON, name=None, address=ADDRESS)
    with pytest.raises(InvalidInput):
        senders.prove(other.staff, other.org_id, code, NOON)
    # Another address is asked for another code, and the first one is good no more.
    senders.change(shop.staff, shop.org_id, NOON, name=None, address="b@shop.example")
    with pytest.raises(InvalidInput):
        senders.prove(shop.staff, shop.org_id, code, NOON)
    again = _code(trade, server, "b@shop.example")
    with pytest.raises(NotFound):
        senders.prove(shop.staff, shop.org_id, again, NOON + timedelta(hours=24))
    assert senders.of(shop.staff, shop.org_id, NOON).address is None


def test_codes_are_neither_guessed_nor_sent_without_end(trade: Trade, server: MailServer) -> None:
    shop = trade.child
    senders.change(shop.staff, shop.org_id, NOON, name=None, address=ADDRESS)
    code = _code(trade, server, ADDRESS)
    for number in range(senders.TRIES_MOST):
        with pytest.raises(InvalidInput):
            senders.prove(shop.staff, shop.org_id, f"{number}", NOON)
    with pytest.raises(Refused, match="too many wrong codes"):
        senders.prove(shop.staff, shop.org_id, code, NOON)
    # Saved again with another name, none is sent; asked for, one is.
    senders.change(shop.staff, shop.org_id, NOON, name="Corner", address=ADDRESS)
    _send(trade, server)
    assert len(server.to(ADDRESS)) == 1
    for _ in range(senders.ASKED_MOST - 1):
        senders.ask_again(shop.staff, shop.org_id, NOON)
    _send(trade, server)
    assert len(server.to(ADDRESS)) == senders.ASKED_MOST
    for again in (ADDRESS, "c@shop.example"):
        with pytest.raises(Refused, match="codes were sent within a day"):
            if again == ADDRESS:
                senders.ask_again(shop.staff, shop.org_id, NOON)
            else:
                senders.change(shop.staff, shop.org_id, NOON, name=None, address=again)
    later = NOON + timedelta(hours=25)
    senders.change(shop.staff, shop.org_id, later, name=None, address="c@shop.example")
    newest = _code(trade, server, "c@shop.example", later)
    assert senders.prove(shop.staff, shop.org_id, newest, later).address == "c@shop.example"


def test_a_code_is_sent_to_its_address_only(trade: Trade) -> None:
    """Sent again to where the reseller itself is told, it would prove nothing."""
    shop = trade.child
    senders.change(shop.staff, shop.org_id, NOON, name=None, address=ADDRESS)
    (row,) = trade.rows(
        "SELECT message_id FROM message WHERE kind = 'sender_check' AND org_id = %s", shop.org_id
    )
    with pytest.raises(Refused, match="have another code sent"):
        messages.resend(shop.staff, int(str(row[0])), NOON)


@pytest.mark.rule("R2")
def test_nobody_else_says_whom_mails_come_from(trade: Trade) -> None:
    shop = trade.child
    cashier = trade.cashier(shop, "till@shop.example")
    for refused in (
        lambda: senders.change(cashier, shop.org_id, NOON, name="x", address=None),
        lambda: senders.ask_again(cashier, shop.org_id, NOON),
        lambda: senders.prove(cashier, shop.org_id, "1", NOON),
        lambda: senders.change(trade.owner, 1, NOON, name="x", address=None),
    ):
        with pytest.raises(Refused):
            refused()
    for org_id in (trade.stranger.org_id, trade.parent.org_id, 1):
        with pytest.raises(NotFound):
            senders.change(shop.staff, org_id, NOON, name="x", address=None)
        with pytest.raises(NotFound):
            senders.of(shop.staff, org_id, NOON)


@pytest.mark.parametrize(
    ("name", "address", "field"),
    [
        (None, "shop", "address"),
        (None, "a@b.c, d@e.f", "address"),
        (None, "a@b.c\r\nBcc: all@example.net", "address"),
        (None, "Bank <a@bank.example>", "address"),
        (None, f"{'x' * 250}@b.example", "address"),
        ("bank@bank.example", None, "name"),
        ('Shop" <x>', None, "name"),
        ("Shop\r\nBcc: all@example.net", None, "name"),
        ("Two  spaces", None, "name"),
        ("x" * 61, None, "name"),
    ],
)
def test_what_cannot_stand_in_a_header_is_refused(
    trade: Trade, name: str | None, address: str | None, field: str
) -> None:
    shop = trade.child
    with pytest.raises(InvalidInput) as refused:
        senders.change(shop.staff, shop.org_id, NOON, name=name, address=address)
    assert refused.value.field == field
    found = senders.of(shop.staff, shop.org_id, NOON)
    assert (found.name, found.address, found.asked) == (None, None, None)


@pytest.mark.parametrize(("language", "words"), [("en", "has expired"), ("es", "ha caducado")])
def test_the_contact_stands_below_each_mail_and_the_link_leads_to_the_brand(
    trade: Trade, server: MailServer, language: str, words: str
) -> None:
    shop = trade.child
    brands.save(
        shop.staff,
        shop.org_id,
        NOON,
        accent="#aa2211",
        logo=None,
        contact=["Call +1 555 0100 & ask", " ", "Mon–Fri, 9 to 17"],
    )
    key = brands.of(shop.staff, shop.org_id).key
    mail = _told(trade, shop, server, language)
    text, html = _text(mail), _text(mail, "html")
    assert words in text and text.endswith("\nCall +1 555 0100 & ask\nMon–Fri, 9 to 17\n")
    assert "Call +1 555 0100 &amp; ask" in html and "Mon–Fri, 9 to 17" in html
    assert f"{PORTAL}?brand={key}" in text and f"{PORTAL}?brand={key}" in html
    other = _told(trade, trade.parent, server, language)
    assert "555" not in _text(other) + _text(other, "html")


def test_the_operators_mails_are_as_they_were(trade: Trade, server: MailServer) -> None:
    address = "own@mail.example"
    who = trade.make.subscriber(NOON)
    messages.set_alerts(trade.context, who.customer_id, NOON, addresses=[address])
    with trade.context.transaction() as tx:
        tx.add(tables.InvoiceDesign(org_id=1, accent="#000000", blocks=["heading"],
                                    footer="Our bank", changed_at=NOON))  # fmt: skip
        facts = {"username": "ada", "reason": "expired", "recharge_url": PORTAL}
        draft = MessageDraft(
            customer_id=who.customer_id,
            kind=MessageKind.EXHAUSTED,
            idempotency_key="told",
            facts=facts,
        )
        store.queue(tx, [draft], NOON)
    _send(trade, server)
    (mail,) = server.to(address)
    assert mail["From"] == f"Test ISP <{FROM}>"
    assert _text(mail).endswith(f"Recharge: {PORTAL}\n\nTest ISP\n")


def test_contacts_are_lines_of_plain_text(trade: Trade) -> None:
    shop = trade.child
    for contact in (["{{ x }}"], ["<b>"], ["x" * 201], ["x"] * 6, ["a\x00b"]):
        with pytest.raises(InvalidInput) as refused:
            brands.save(shop.staff, shop.org_id, NOON, accent="#aa2211", logo=None, contact=contact)
        assert refused.value.field == "contact"
    assert brands.of(shop.staff, shop.org_id).contact is None


def test_a_key_tells_the_brand_of_an_open_reseller_only(trade: Trade) -> None:
    shop = trade.child
    nobody = replace(trade.context, db=trade.panel, org_ids=())
    key = brands.of(shop.staff, shop.org_id).key
    assert key is not None and re.fullmatch("[0-9a-f]{32}", key)
    found = brands.by_key(nobody, key)
    assert found is not None and (found.key, found.contact) == (key, None)
    (row,) = trade.rows("SELECT brand_key FROM organisation WHERE org_id = 1")
    for unknown in (str(row[0]), "0" * 32, key.upper(), key[:-1], "", "\x00", "' OR true --"):
        assert brands.by_key(nobody, unknown) is None
    with pytest.raises(NotFound):
        brands.of(nobody, shop.org_id)
    with trade.context.transaction() as tx:
        tx.get_one(tables.Organisation, shop.org_id).closed_at = NOON
    assert brands.by_key(nobody, key) is None

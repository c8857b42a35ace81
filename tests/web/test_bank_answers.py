"""What a bank sends of direct debits, in a real browser on a phone: its answer to a file, and a
statement with what came back, which is collected again (rules P1, P5, M5)."""

from __future__ import annotations

from datetime import datetime

import pytest
from playwright.sync_api import FilePayload, Page, expect

from billing.model.payments import PaymentState
from billing.payments.registry import open_gateway
from billing.rules.cycles import local_day
from billing.services import bank, gateways, payments, sepa_mandates, sepa_run
from billing.services.context import Context
from billing.services.gateways import Gateways
from tests.integration.iso20022 import Answer, Detail, Entry, Item, camt
from tests.web.conftest import PHONE, Visitor
from tests.web.payers import House
from tests.web.test_sepa_pages import IBAN, debtors, send  # noqa: F401

KNOWN = Gateways(open_gateway)


def upload(page: Page, body: bytes) -> None:
    file = FilePayload(name="answer.xml", mimeType="text/xml", buffer=body)
    page.set_input_files("#file", file)
    send(page)


@pytest.mark.rule("P1", "P5", "M5")
def test_a_bank_refuses_one_and_another_comes_back(
    at_desk: Visitor,
    context: Context,
    debtors: list[House],  # noqa: F811
    began: datetime,
) -> None:
    (gateway,) = (one for one in gateways.listed(context) if one.adapter == "sepa")
    for who in debtors:
        sepa_mandates.sign(
            context, KNOWN, who.customer_id, gateway.gateway_id, iban=IBAN,
            signed_on=local_day(began, "UTC"), now=began,
        )  # fmt: skip
    made = sepa_run.collect(context, KNOWN, gateway.gateway_id, began)
    assert made.file is not None
    first, second = (one.end_to_end_id for one in made.collections)
    page = at_desk.page
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    at_desk.open("/direct-debits")
    assert at_desk.overflow() == 0
    upload(page, b"reference,reason\n")
    expect(page.locator("#field-file")).to_contain_text("Is no XML")
    items = [Item(end_to_end=first, reason="AM04"), Item(end_to_end="X-9", reason="AM04")]
    name = made.file.message_id
    upload(page, Answer(original=name, batches=[(f"{name}/1", "", "", items)]).xml())
    expect(page.locator("#quote")).to_contain_text("1 would fail, 0 known already, 1 to look into")
    expect(page.locator("#lines")).to_contain_text("X-9")
    assert at_desk.overflow() == 0
    assert states(context, debtors) == [PaymentState.PENDING] * 2
    page.get_by_role("button", name="Carry it out").dblclick()
    expect(page.get_by_role("status").first).to_contain_text("1 failed, 0 known already")
    expect(page.locator("h1")).to_contain_text(name)
    assert states(context, debtors) == [PaymentState.FAILED, PaymentState.PENDING]
    again = page.get_by_role("button", name=f"Collect {first} again")
    expect(again).to_be_visible()
    assert at_desk.overflow() == 0
    again.click()
    expect(page.get_by_role("status").first).to_contain_text("waits for the next file")
    expect(page.get_by_role("link", name="collected again")).to_have_count(1)
    expect(again).to_have_count(0)
    in_statement(at_desk, context, second)
    page.goto(f"{at_desk.base_url}/direct-debits/{made.file.file_id}")
    page.get_by_role("button", name=f"Collect {second} again").click()
    expect(page.get_by_role("status").first).to_contain_text("of 30.00 EUR waits for the next file")
    assert [text for text in at_desk.complaints if "422" not in text] == []


def in_statement(at_desk: Visitor, context: Context, name: str) -> None:
    """Its money came, and went back."""
    page = at_desk.page
    at_desk.open("/bank/new")
    page.fill("#name", "camt account")
    page.fill("#iban", "DE89 3704 0044 0532 0130 01")
    send(page)
    expect(page.locator("#field-iban")).to_contain_text("no IBAN")
    page.fill("#iban", IBAN)
    send(page)
    expect(page.locator("h1")).to_contain_text("camt account")
    back = Detail(amount="30.00", end_to_end=name, reason="MD06")
    body = camt(
        Entry(amount="30.00", ref="1", details=(Detail(amount="30.00", end_to_end=name),)),
        Entry(amount="30.00", ref="2", credit=False, details=(back,)),
        Entry(amount="4.00", ref="3", credit=False, reversal=True, said="sorry"),
    )
    upload(page, body)
    expect(page.locator("#quote")).to_contain_text("30.00 EUR would be credited")
    expect(page.locator("#quote")).to_contain_text("34.00 EUR went out again")
    assert at_desk.overflow() == 0
    page.get_by_role("button", name="Import 3 lines").click()
    expect(page.get_by_role("status").first).to_contain_text("1 credited, 0 wait")
    expect(page.locator("#lines")).to_contain_text("came back: charged back (MD06")
    expect(page.locator("#lines")).to_contain_text("look into it")
    assert at_desk.overflow() == 0
    (account,) = (one for one in bank.accounts(context) if one.name == "camt account")
    assert len(bank.imported(context, account.account_id)) == 3


def states(context: Context, people: list[House]) -> list[PaymentState]:
    return [payments.listed(context, customer_id=who.customer_id)[0].state for who in people]

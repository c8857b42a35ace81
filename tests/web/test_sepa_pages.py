"""Direct debits in a real browser, on a phone too: a mandate, a file, returns (rules P1, P5)."""

from __future__ import annotations

from datetime import date, datetime

import psycopg
import pytest
from playwright.sync_api import Page, expect
from sepaxml.validation import try_valid_xml

from billing.model.payments import PaymentState
from billing.payments.registry import open_gateway
from billing.services import bills, catalog, gateways, payments, sepa_files
from billing.services.context import Context
from billing.services.gateways import Gateways
from billing.settings import Settings
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import MONTHLY, Isp
from tests.web.payers import UNIT, House, house

IBAN = "DE89370400440532013000"


@pytest.fixture(scope="module")
def debtors(context: Context, settings: Settings, isp: Isp, began: datetime) -> list[House]:
    """Two customers with a bill of 30.00 EUR."""
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        admin.execute("UPDATE operator SET currency = 'EUR'")
    gateways.add(
        context,
        Gateways(open_gateway),
        name="debit",
        adapter="sepa",
        settings={
            "creditor_name": "Example Net",
            "creditor_id": "DE98ZZZ09999999999",
            "lead_days": "14",
        },
        secret_settings={"iban": IBAN},
        now=began,
    )
    found = [one for one in catalog.list_profiles(context) if one.profile.name == MONTHLY.name]
    people = [house(context, isp, began, found[0].profile_id) for _ in range(2)]
    for who in people:
        bills.issue_bill(
            context,
            who.subscription_id,
            cycle_from=date(2026, 3, 1),
            cycle_until=date(2026, 4, 1),
            amount_micros=30 * UNIT,
            now=began,
        )
    return people


def send(page: Page) -> None:
    page.locator(".panel-form button[type=submit]").first.click()


@pytest.mark.rule("P1", "P5")
def test_from_the_mandate_to_the_return(
    at_desk: Visitor, context: Context, debtors: list[House]
) -> None:
    page = at_desk.page
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    for who in debtors:
        at_desk.open(f"/customers/{who.customer_id}/mandate")
        assert at_desk.overflow() == 0
        page.fill("#iban", "DE89370400440532013001")
        send(page)
        expect(page.locator("#field-iban")).to_contain_text("no IBAN")
        page.fill("#iban", IBAN)
        send(page)
        expect(page.get_by_role("status").first).to_contain_text("DE89 … 3000")
        expect(page.locator("#content")).not_to_contain_text(IBAN)
    at_desk.open("/direct-debits")
    assert at_desk.overflow() == 0
    page.get_by_role("link", name="Collect what is due").click()
    expect(page.locator(".panel-form")).to_be_visible()
    assert at_desk.overflow() == 0
    send(page)
    expect(page.locator(".panel-form")).to_contain_text("60.00 EUR by 2 direct debits")
    assert sepa_files.files(context) == []
    send(page)
    expect(page.locator("h1")).to_contain_text("TWDD-")
    assert at_desk.overflow() == 0
    (made,) = sepa_files.files(context)
    address = f"{at_desk.base_url}/direct-debits/{made.file_id}/file.xml"
    first, second = (page.request.get(address) for _ in range(2))
    assert "attachment" in first.headers["content-disposition"]
    assert first.body() == second.body()
    try_valid_xml(first.body(), "pain.008.001.08")
    row = page.locator("#rows tbody tr").first
    row.get_by_label("Reason of").fill("xx")
    row.get_by_role("button", name="Returned").click()
    expect(page.get_by_role("status").first).to_contain_text("four characters")
    row.get_by_label("Reason of").fill("AM04")
    row.get_by_role("button", name="Returned").click()
    expect(page.get_by_role("status").first).to_contain_text("failed (AM04")
    page.get_by_role("button", name="Its money has come").click()
    expect(page.get_by_role("status").first).to_contain_text("1 debits were credited")
    states = [payments.listed(context, customer_id=who.customer_id)[0].state for who in debtors]
    assert states == [PaymentState.FAILED, PaymentState.SUCCEEDED]
    assert at_desk.overflow() == 0
    at_desk.open("/direct-debits/collect")
    send(page)
    expect(page.locator(".panel-form")).to_contain_text("Nothing is to be collected")
    assert [text for text in at_desk.complaints if "422" not in text] == []

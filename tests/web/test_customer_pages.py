"""The customer's page in a real browser: what it tells, and the day at the desk from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from billing.model.commerce import MoneyChannel
from billing.model.staff import StaffRole
from billing.services import (
    books,
    catalog,
    customer_record,
    customers,
    explain,
    sales,
    subscribers,
)
from billing.services.context import Context
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import MONTHLY, Isp
from tests.web.people import enrolled


def _send(page: Page) -> None:
    page.locator(".panel-buttons button").click()


@pytest.fixture(scope="module")
def billed_id(context: Context, isp: Isp, began: datetime) -> int:
    """The profile *Homes billed*, whose bills are made by themselves."""
    profile = replace(MONTHLY, name="Homes billed", automatic_bill=True)
    return catalog.add_profile(context, profile, began).profile_id


def _overdue(context: Context, isp: Isp, at: datetime) -> int:
    """The customer whose bill of 30.00 is overdue."""
    return subscribers.show(context, isp.overdue_id, at).customer.customer_id


def test_one_page_tells_of_wallet_bills_service_and_usage(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    customer_id = subscribers.show(context, isp.running_id, began).customer.customer_id
    page = at_desk.open(f"/subscribers/{isp.running_id}")
    page.get_by_role("link", name="Amina Diallo").click()
    assert page.url.endswith(f"/customers/{customer_id}")
    expect(page.locator("#wallet")).to_contain_text("0.00 USD")
    expect(page.locator("#subscriptions")).to_contain_text("Active")
    expect(page.locator("#payments")).to_contain_text("5.00 USD")
    rows = page.locator("#ledger tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("−5.00 USD")
    expect(rows.nth(1)).to_contain_text("payment by cash")
    expect(page.locator("#sessions tbody tr")).to_have_count(1)
    expect(page.locator("#usage canvas")).to_be_visible()
    expect(page.locator("#bills")).to_contain_text("daily ones pay as they buy")
    expect(page.locator("#contact")).to_contain_text("amina@mail.example")
    page.get_by_role("link", name="why").click()
    expect(page.locator("#why .panel-decides")).to_contain_text("S8")
    assert at_desk.complaints == []


def test_customers_are_found_by_name_number_user_name_and_bill(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    customer_id = _overdue(context, isp, began)
    (line,) = customer_record.open_bills(context, customer_id, began)
    rows = at_desk.open("/customers").locator("#rows tbody tr")
    expect(rows).to_have_count(8)
    for words in ("greta", str(customer_id), "greta-home", "GRETA@mail", line.bill.number.lower()):
        page = at_desk.open(f"/customers?q={words}")
        expect(page.locator("#rows")).to_contain_text("Greta Lind")
        expect(page.locator("#rows")).to_contain_text("30.00 USD overdue")
    page = at_desk.open("/customers?q=nobody")
    expect(page.locator("#rows")).to_contain_text("No customer matches nobody")
    page.fill("[data-search]", "hugo")
    page.keyboard.press("Enter")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    page.locator("#rows tbody td").nth(2).click()
    expect(page.locator("h1")).to_contain_text("Hugo Martin")
    assert at_desk.complaints == []


@pytest.mark.rule("B7", "B19", "I2", "I4")
def test_from_a_new_customer_to_its_credit_note_without_the_command_line(
    at_desk: Visitor, context: Context, isp: Isp, billed_id: int, began: datetime
) -> None:
    page = at_desk.open("/customers")
    page.get_by_role("link", name="Add a customer").click()
    page.fill("#name", "Ines Blanco")
    page.fill("#email", "not an address")
    page.fill("#username", "INES-home")
    page.select_option("#profile", label="Homes billed")
    page.select_option("#plan", label="Home 50: 30.00 USD for 1 month")
    page.fill("#address", "Hill Street 4\n08002 Barcelona")
    password = page.locator("#password").input_value()
    assert len(password) == 12
    _send(page)
    expect(page.locator("#field-email .panel-error")).to_be_visible()
    expect(page.locator("#password")).to_have_value(password)
    page.fill("#email", "ines@mail.example")
    _send(page)
    expect(page.locator("#made")).to_contain_text(password)
    page.get_by_role("link", name="To the customer").click()
    expect(page.locator("#contact")).to_contain_text("Hill Street 4")
    expect(page.locator("#notices")).to_contain_text("Invoice issued")
    customer_id = int(page.url.rsplit("/", 1)[1])
    (bill,) = (one.bill for one in customer_record.open_bills(context, customer_id, began))
    row = page.locator("#bills tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("open")

    row.get_by_role("link", name="pay").click()
    expect(page.locator("#bill")).to_have_value(bill.number)
    page.fill("#amount_micros", "1.005")
    _send(page)
    expect(page.locator("#field-amount_micros")).to_contain_text("smallest unit of USD")
    page.fill("#amount_micros", "1.00")
    page.fill("#reference", "slip 7")
    _send(page)
    expect(page.get_by_role("status").first).to_contain_text("1.00 USD was taken")
    expect(page.locator("#payments")).to_contain_text("slip 7")

    page.get_by_role("link", name="Promise to pay").click()
    page.fill("#until", (began.date() + timedelta(days=3)).isoformat())
    _send(page)
    expect(page.locator("#contact")).to_contain_text("B19")
    page.get_by_role("link", name="Promise to pay").click()
    page.check("#withdraw")
    _send(page)
    expect(page.locator("#contact")).not_to_contain_text("B19")

    page.locator("#bills").get_by_role("link", name="credit").click()
    page.check("input[name=part][value=void]")
    _send(page)
    expect(page.locator("#field-reason")).to_contain_text("Must be filled in")
    page.fill("#reason", "moved in later")
    _send(page)
    quote = page.locator("#quote")
    expect(quote).to_contain_text(f"of {bill.number} is credited")
    expect(quote).to_contain_text("1.00 USD goes to the wallet")
    assert customer_record.credit_notes(context, customer_id) == []
    page.fill("#reason", "moved in a week later")
    _send(page)
    expect(quote).to_be_visible()
    _send(page)
    expect(page.locator("#credit_notes")).to_contain_text("moved in a week later")
    expect(page.locator("#bills tbody")).to_contain_text("credited")
    (note,) = customer_record.credit_notes(context, customer_id)
    assert (note.total_micros, note.to_wallet_micros) == (bill.total_micros, 1_000_000)
    assert books.check_ledger(context, began).findings == ()
    assert all("422" in text for text in at_desk.complaints)


@pytest.mark.rule("M5")
def test_a_payment_sent_twice_is_taken_once(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    customer_id = subscribers.show(context, isp.expired_id, began).customer.customer_id
    before = len(customer_record.payments(context, customer_id))
    page = at_desk.open(f"/customers/{customer_id}/pay")
    page.fill("#amount_micros", "12.00")
    key = page.locator("input[name=key]").input_value()
    page.locator(".panel-buttons button").dblclick()
    expect(page.get_by_role("status").first).to_contain_text("12.00 USD")
    assert len(customer_record.payments(context, customer_id)) == before + 1
    # As by the way back, the same form again; then with another amount in it.
    form = {"key": key, "bill": "", "channel": "cash", "amount_micros": "12.00", "reference": ""}
    for amount, words in (("12.00", "taken already"), ("13.00", "sent before with other values")):
        page = at_desk.open(f"/customers/{customer_id}/pay")
        page.evaluate(
            "form => { for (const [name, value] of Object.entries(form))"
            " if (name !== 'channel') document.querySelector(`[name=${name}]`).value = value; }",
            form | {"amount_micros": amount},
        )
        _send(page)
        expect(page.locator("main")).to_contain_text(words)
        assert len(customer_record.payments(context, customer_id)) == before + 1
    _send(page)
    expect(page.get_by_role("status").first).to_contain_text("13.00 USD was taken")
    assert len(customer_record.payments(context, customer_id)) == before + 2


@pytest.mark.rule("B3", "B4", "P12")
def test_a_package_is_sold_from_the_wallet_after_its_price_was_shown(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    customer_id = subscribers.show(context, isp.expired_id, began).customer.customer_id
    sales.topup(
        context,
        customer_id,
        1_500_000,
        channel=MoneyChannel.CASH,
        idempotency_key="for the day pass",
        now=began,
    )
    page = at_desk.open(f"/customers/{customer_id}/sell")
    page.select_option("#plan", label="Day pass: 1.00 USD for 1 day")
    _send(page)
    expect(page.locator("#quote")).to_contain_text("Day pass is sold for 1.00 USD")
    assert explain.why(context, isp.expired_id, began).state.rule == "S7"
    _send(page)
    expect(page.locator("#subscriptions")).to_contain_text("Active")
    page = at_desk.open(f"/customers/{customer_id}/sell")
    page.select_option("#plan", label="Home 50: 30.00 USD for 1 month")
    _send(page)
    expect(page.locator("#field-plan")).to_contain_text("rules B1, B2")
    other = subscribers.show(context, isp.running_id, began).customer.customer_id
    page = at_desk.open(f"/customers/{other}/sell")
    page.select_option("#plan", label="Week 20 GB: 5.00 USD for 7 days")
    _send(page)
    expect(page.locator("#field-channel")).to_contain_text("rule P12")
    page.check("input[name=channel][value=card]")
    _send(page)
    expect(page.locator("#quote")).to_contain_text("paid by card")


@pytest.mark.rule("S2", "P9")
def test_staff_suspends_and_lifts(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    customer_id = subscribers.show(context, isp.running_id, began).customer.customer_id
    page = at_desk.open(f"/customers/{customer_id}/hold")
    page.check("input[name=behaviour][value=suspended_pool]")
    page.fill("#note", "spam")
    _send(page)
    expect(page.locator("#field-behaviour")).to_contain_text("no suspended pool")
    page.check("input[name=behaviour][value=reject]")
    page.fill("#until", "2001-01-01T10:00")
    _send(page)
    expect(page.locator("#field-until")).to_contain_text("past")
    page.fill("#until", "")
    _send(page)
    expect(page.locator("#subscriptions")).to_contain_text("suspended by staff")
    page.locator("#subscriptions").get_by_role("link", name="Lift a suspension").click()
    _send(page)
    expect(page.locator("#subscriptions")).to_contain_text("Active")


@pytest.mark.rule("B5", "B14")
def test_a_move_to_another_profile_says_first_what_it_costs(
    at_desk: Visitor, context: Context, isp: Isp, billed_id: int, began: datetime
) -> None:
    customer_id = _overdue(context, isp, began)
    page = at_desk.open(f"/customers/{customer_id}/profile")
    page.select_option("#profile", label="Prepaid daily (daily)")
    page.select_option("#plan", label="Week 20 GB")
    _send(page)
    quote = page.locator("#quote")
    expect(quote).to_contain_text("Greta Lind goes from Homes monthly to Prepaid daily")
    assert subscribers.show(context, isp.overdue_id, began).customer.profile_name == "Homes monthly"
    page.select_option("#profile", label="Homes billed (monthly)")
    page.select_option("#plan", label="Week 20 GB")
    _send(page)
    expect(page.locator("#field-plan")).to_contain_text("rule B5")


def test_contact_is_stored_whole_or_not_at_all(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    customer_id = _overdue(context, isp, began)
    page = at_desk.open(f"/customers/{customer_id}/details")
    page.fill("#name", "Greta Lindgren")
    page.fill("#alerts", "a@b.example\nnobody")
    _send(page)
    expect(page.locator("#field-alerts .panel-error")).to_contain_text("nobody")
    assert subscribers.show(context, isp.overdue_id, began).customer.name == "Greta Lind"
    page.fill("#alerts", "a@b.example\nc@d.example")
    page.fill("#tax_id", "ESB1")
    _send(page)
    expect(page.locator("h1")).to_contain_text("Greta Lindgren")
    expect(page.locator("#contact")).to_contain_text("a@b.example, c@d.example")
    expect(page.locator("#contact")).to_contain_text("ESB1")
    page.get_by_role("link", name="Change contact").first.click()
    page.fill("#name", "Greta Lind")
    page.fill("#alerts", "")
    _send(page)
    expect(page.locator("#contact")).to_contain_text("Messages go togreta@mail.example")


@pytest.mark.rule("I1", "M5")
def test_charges_are_added_listed_and_ended(
    at_desk: Visitor, context: Context, isp: Isp, billed_id: int, began: datetime
) -> None:
    customer_id = customers.add_customer(
        context, name="Olga Brandt", profile_id=billed_id, now=began
    ).customer_id
    plans = catalog.list_plans(context, began)
    (home,) = (one.plan_id for one in plans if one.terms.plan_name == "Home 50")
    customers.add_subscription(
        context,
        customer_id=customer_id,
        username="olga-home",
        password="correct horse",
        plan_id=home,
        now=began,
    )
    page = at_desk.open(f"/customers/{customer_id}")
    page.get_by_role("link", name="Add a charge").click()
    page.fill("#text", "Static IP")
    page.fill("#price_micros", "5")
    page.locator(".panel-buttons button").dblclick()
    rows = page.locator("#extras tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("5.00 USD a month")
    page.get_by_role("link", name="Add a discount").click()
    page.fill("#text", "Friend of the house")
    page.fill("#discount_ppm", "200")
    _send(page)
    expect(page.locator("#field-discount_ppm")).to_contain_text("at most 100")
    page.fill("#discount_ppm", "12.5")
    _send(page)
    expect(rows.nth(1)).to_contain_text("12.5% off")
    page.get_by_role("link", name="End Static IP").click()
    page.fill("#on", (began.date() + timedelta(days=40)).isoformat())
    _send(page)
    expect(page.get_by_role("status").first).to_contain_text("Static IP ends")
    expect(page.get_by_role("link", name="End Static IP")).to_have_count(0)


def test_who_may_what(visitor: Visitor, context: Context, isp: Isp, began: datetime) -> None:
    customer_id = _overdue(context, isp, began)
    enrolled(context, "support@isp.example", StaffRole.SUPPORT, began)
    enrolled(context, "billing@isp.example", StaffRole.BILLING, began)
    visitor.log_in("support@isp.example").wait_for_selector("#rows")
    page = visitor.open(f"/customers/{customer_id}")
    actions = page.get_by_role("navigation", name="Actions").get_by_role("link")
    expect(actions).to_have_text(["Promise to pay"])
    expect(page.locator("#bills").get_by_role("link", name="credit")).to_have_count(0)
    for name in ("pay", "credit", "sell", "charge", "profile", "details", "hold", "discontinue"):
        answer = page.request.get(f"{visitor.base_url}/customers/{customer_id}/{name}")
        assert answer.status == 403, name
    actions.click()
    page.fill("#until", (began.date() + timedelta(days=2)).isoformat())
    _send(page)
    expect(page.locator("#subscriptions")).to_contain_text("Active")
    page.get_by_role("button", name="Log out").click()
    visitor.log_in("billing@isp.example").wait_for_selector("#rows")
    page = visitor.open(f"/customers/{customer_id}")
    expect(actions).to_have_count(4)
    expect(page.get_by_role("link", name="Suspend")).to_have_count(1)
    assert page.request.get(f"{visitor.base_url}/plans/new").status == 403


def test_without_scripts_and_with_the_keyboard_alone(
    browser: Browser, panel: str, owner: str, context: Context, isp: Isp, began: datetime
) -> None:
    customer_id = subscribers.show(context, isp.running_id, began).customer.customer_id
    opened = browser.new_context(java_script_enabled=False, viewport=PHONE)
    try:
        visitor = Visitor(opened.new_page(), panel)
        page = visitor.log_in(owner)
        visitor.open(f"/customers/{customer_id}")
        page.get_by_role("link", name="Take a payment").focus()
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Take a payment")
        page.locator("#bill").focus()
        for key in ("Tab", "ArrowDown", "Tab"):
            page.keyboard.press(key)
        page.keyboard.type("2.50")
        page.keyboard.press("Tab")
        page.keyboard.type("slip 9")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("2.50 USD was taken")
    finally:
        opened.close()
    newest = customer_record.payments(context, customer_id)[0]
    assert (newest.channel, newest.reference) == ("bank_transfer", "slip 9")

"""What the operator's owner sets of bills, messages, promises and profiles in the panel."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import expect

from billing.services import catalog, customers, letterhead, messages, promises, subscribers
from billing.services.context import Context
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import MONTHLY, Isp


@pytest.mark.rule("I1", "I3")
def test_letterhead_e_invoices_and_sender_are_set_together_or_not_at_all(
    at_desk: Visitor, context: Context
) -> None:
    at_desk.open("/billing")
    page = at_desk.page
    page.get_by_role("link", name="Letterhead and sender").click()
    page.get_by_label("Bills are e-invoices").check()
    page.fill("#mail_from", "bills@net.example")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#field-address_lines [role=alert]")).to_contain_text("postal address")
    expect(page.locator("#field-country [role=alert]")).to_contain_text("country, like DE")
    expect(page.locator("#field-tax_id [role=alert]")).to_contain_text("VAT number")
    page.fill("#address_lines", "Ring 1\n10115 Berlin")
    page.fill("#country", "de")
    page.fill("#tax_id", "DE123456789")
    page.fill("#mail_from", "nowhere")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#field-mail_from [role=alert]")).to_be_visible()
    assert letterhead.of_organisation(context, 1).country is None
    page.fill("#mail_from", "bills@net.example")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved")
    party = letterhead.of_organisation(context, 1)
    assert (party.address_lines, party.country) == (("Ring 1", "10115 Berlin"), "DE")
    assert letterhead.makes_e_invoices(context, 1)
    assert messages.sender_of(context, 1) == "bills@net.example"
    page.set_viewport_size(PHONE)
    assert at_desk.overflow() == 0
    page.get_by_label("Bills are e-invoices").uncheck()
    page.fill("#mail_from", "")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved")
    assert messages.sender_of(context, 1) is None
    assert not letterhead.makes_e_invoices(context, 1)


@pytest.mark.rule("B16")
def test_why_is_told_for_another_instant(at_desk: Visitor, isp: Isp, began: datetime) -> None:
    page = at_desk.open(f"/subscribers/{isp.overdue_id}")
    expect(page.locator("#why h2")).to_have_text("Why suspended")
    before = (began - timedelta(days=70)).strftime("%Y-%m-%dT%H:%M:%S")
    page.fill("#at", before)
    page.get_by_role("button", name="At that time").click()
    expect(page.locator("#why h2")).to_have_text("Why active")
    expect(page.locator("#why")).to_contain_text("by what is stored now")
    page.set_viewport_size(PHONE)
    assert at_desk.overflow() == 0
    page.locator("#why").get_by_role("link", name="Now").click()
    expect(page.locator("#why h2")).to_have_text("Why suspended")
    for wrong in ("yesterday", "0001-01-01T00:00"):
        at_desk.open(f"/subscribers/{isp.overdue_id}?at={wrong}")
        expect(page.locator("#why [role=alert]")).to_contain_text("like 2026-03-10 14:30")


@pytest.mark.rule("B14")
def test_a_subscription_is_added_with_a_billing_profile_of_its_own(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    kept = catalog.add_profile(
        context, replace(MONTHLY, name="Shops monthly", cycle_day=1), began
    ).profile_id
    customer = customers.customer_of(context, isp.running_id)
    page = at_desk.open(f"/customers/{customer}/subscription")
    page.fill("#username", "own-profile")
    page.select_option("#profile", label="Shops monthly")
    page.get_by_label("With a wallet of its own").check()
    page.get_by_role("button", name="Show what it will do").click()
    expect(page.locator("#quote")).to_contain_text("own-profile is added")
    page.get_by_role("button", name="Do it").click()
    expect(page.get_by_role("status").first).to_contain_text("own-profile is added")
    found = subscribers.search(context, "own-profile", began, limit=1).rows[0]
    assert subscribers.show(context, found.subscription_id, began).profile.name == "Shops monthly"
    assert kept


@pytest.mark.rule("B19")
def test_limits_of_promises_are_set_and_a_wallet_is_lent_to(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    page = at_desk.open(f"/profiles/{isp.profile_id}")
    page.fill("#promise_count", "2")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#field-promise_amount_micros [role=alert]")).to_contain_text(
        "say up to what amount"
    )
    page.fill("#promise_amount_micros", "20")
    page.fill("#promise_days", "0")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#field-promise_days [role=alert]")).to_contain_text("1 to 365 days")
    page.fill("#promise_days", "5")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("was saved")
    profile = catalog.get_profile(context, isp.profile_id).profile
    assert (profile.promise_count, profile.promise_days) == (2, 5)
    assert profile.promise_amount_micros == 20_000_000
    customer = customers.customer_of(context, isp.running_id)
    at_desk.open(f"/customers/{customer}/promise")
    page.fill("#until", (began + timedelta(days=3)).date().isoformat())
    page.locator("form.panel-form button[type=submit]").first.click()
    expect(page.locator("#field-credit_micros [role=alert]")).to_contain_text(
        "No bill is unpaid, so there is nothing to promise"
    )
    page.fill("#credit_micros", "4")
    page.locator("form.panel-form button[type=submit]").first.click()
    expect(page.get_by_text("4.00 USD is lent until then")).to_be_visible()
    expect(page.locator("#promises")).to_contain_text("by staff")
    expect(page.locator("#promises")).to_contain_text("4.00 USD lent: stands")
    assert promises.of_customer(context, customer)[0].credit_micros == 4_000_000
    page.set_viewport_size(PHONE)
    assert at_desk.overflow() == 0

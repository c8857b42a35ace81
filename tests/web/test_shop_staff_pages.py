"""A reseller's owner adds a cashier, who sells in a shift on a phone and sees no margin; the owner
puts the cashier out again (rules R1, R2, R4, security.md 7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from billing.model.commerce import MoneyChannel
from billing.model.staff import StaffRole
from billing.services import customers, reseller_money, resellers, shifts
from billing.services.context import Context
from billing.services.customers import NewCustomer, NewSubscription
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import Isp
from tests.web.people import PASSWORD, enrolled

BOSS, CLERK = "boss@kiosk.example", "clerk@kiosk.example"


@pytest.fixture(scope="module")
def kiosk(context: Context, isp: Isp, began: datetime) -> int:
    """The number of a reseller that pays 4.00 for the week and sells it for 5.00."""
    shop = resellers.add(
        context, name="Kiosk", parent_org_id=1, profile_id=isp.profile_id, now=began
    )
    resellers.set_cost(context, shop.org_id, isp.plan_id, 4_130_000, began)
    reseller_money.transfer(
        context, shop.org_id, 20_000_000, idempotency_key="fund", now=began,
        channel=MoneyChannel.CASH,
    )  # fmt: skip
    enrolled(context, BOSS, StaffRole.RESELLER, began, org_id=shop.org_id)
    enrolled(context, CLERK, StaffRole.SHOP_CASHIER, began, org_id=shop.org_id)
    profile_id = customers.get_customer(context, shop.account_customer_id).profile_id
    for name in ("olga", "pavel"):
        customers.add_subscriber(
            replace(context, home_org_id=shop.org_id),
            NewCustomer(name=name.title(), profile_id=profile_id),
            NewSubscription(username=name, password="correct horse"),
            began,
        )
    return shop.org_id


def send(page: Page) -> None:
    page.locator(".panel-form button[type=submit]").first.click()


@pytest.mark.rule("R2")
@pytest.mark.parametrize("size", [(1280, 800), (PHONE["width"], PHONE["height"])])
def test_an_owner_adds_somebody_and_puts_the_person_out_again(
    visitor: Visitor, browser: Browser, kiosk: int, size: tuple[int, int]
) -> None:
    page, who = visitor.page, f"new{size[0]}@kiosk.example"
    page.set_viewport_size({"width": size[0], "height": size[1]})
    visitor.log_in(BOSS).wait_for_selector("#rows")
    page.get_by_role("link", name="Staff").click()
    expect(page.locator("#rows")).to_contain_text(CLERK)
    assert visitor.overflow() == 0
    page.fill("#email", "no address")
    send(page)
    expect(page.locator("#field-email")).to_contain_text("Not an email address")
    page.fill("#email", CLERK)
    send(page)
    expect(page.locator("#field-email")).to_contain_text("Somebody has this address already")
    page.fill("#email", who)
    assert page.locator("#role").input_value() == "cashier"
    send(page)
    link = page.locator("#link").inner_text()
    assert visitor.overflow() == 0
    # The person opens it elsewhere.
    elsewhere = browser.new_context()
    try:
        other = elsewhere.new_page()
        other.goto(visitor.base_url + urlsplit(link).path)
        other.fill("#password", PASSWORD)
        other.fill("#again", PASSWORD)
        other.locator("button[type=submit]").click()
        expect(other.locator("body")).to_contain_text("authenticator")
    finally:
        elsewhere.close()
    visitor.open("/staff")
    page.get_by_role("link", name=who).click()
    expect(page.locator("h1")).to_contain_text(who)
    assert visitor.overflow() == 0
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("status")).to_contain_text("may not log in any more")
    page.get_by_role("button", name="Let in again").click()
    page.select_option("#role", "reseller")
    send(page)
    expect(page.locator("#rows tr", has_text=who)).to_contain_text("Owner of the shop")
    page.get_by_role("link", name=who).click()
    page.get_by_role("button", name="New password by a link").click()
    expect(page.locator("#link")).not_to_have_text(link)
    # Neither itself nor the operator's.
    visitor.open(f"/staff/{BOSS}")
    expect(page.get_by_role("note")).to_contain_text("This is you")
    assert page.request.get(f"{visitor.base_url}/staff/owner@isp.example").status == 404
    assert [text for text in visitor.complaints if "422" not in text] == []


@pytest.mark.rule("R1", "R4")
@pytest.mark.parametrize("size", [(PHONE["width"], PHONE["height"]), (1280, 800)])
def test_a_cashier_sells_in_its_shift_and_sees_no_margin(
    visitor: Visitor, context: Context, kiosk: int, size: tuple[int, int]
) -> None:
    page, name = visitor.page, "Olga" if size[0] < 1000 else "Pavel"
    page.set_viewport_size({"width": size[0], "height": size[1]})
    visitor.log_in(CLERK).wait_for_selector("#rows")
    expect(page.locator(".panel-nav a")).to_have_text(
        ["Sell", "Subscribers", "Customers", "Vouchers"]
    )
    page.get_by_role("link", name="Sell", exact=True).click()
    number = customers.subscription_id_of(context, name.lower())
    shop = resellers.show(context, kiosk)
    plan_id = resellers.price_list(context, kiosk, shop.created_at)[0].plan_id
    visitor.open(f"/counter/{number}/{plan_id}")
    expect(page.get_by_role("alert")).to_contain_text("Open your shift first")
    visitor.open("/counter")
    page.locator("#no-shift a").click()
    page.fill("#float_micros", "10.00")
    send(page)
    expect(page.locator("h1")).to_contain_text("open")
    assert visitor.overflow() == 0
    address = page.url
    visitor.open(f"/counter?q={name}")
    page.get_by_role("link", name=name).click()
    expect(page.locator("#offers")).to_contain_text("5.00 USD")
    for words in ("4.13", "0.87", "Costs you", "Your wallet"):
        assert words not in page.content()
    assert visitor.overflow() == 0
    page.get_by_role("link", name="Week 20 GB").click()
    expect(page.locator("#field-collect_by")).to_contain_text("Card")
    for words in ("4.13", "4130000", "0.87", "Costs you", "your wallet"):
        assert words not in page.content()
    assert visitor.overflow() == 0
    page.get_by_role("button", name="Sell for 5.00 USD").click()
    expect(page.locator("h1")).to_have_text("Sold: Week 20 GB")
    assert "4.13" not in page.content()
    paper = page.get_by_role("link", name="Print the receipt").get_attribute("href")
    assert page.request.get(f"{visitor.base_url}{paper}").body()[:4] == b"%PDF"
    for path in (
        f"/resellers/{kiosk}", "/resellers", f"/resellers/{kiosk}/statement", "/counter/money",
        "/staff", "/plans", "/payments", "/payments/day",
    ):  # fmt: skip
        assert page.request.get(visitor.base_url + path).status == 403, path
    account = f"{visitor.base_url}/customers/{shop.account_customer_id}"
    assert [page.request.get(account + end).status for end in ("", "/ledger")] == [404, 404]
    page.goto(address)
    page.fill("#counted_micros", "15.00")
    send(page)
    expect(page.locator("#report")).to_contain_text("15.00 USD")
    expect(page.get_by_role("status")).to_have_text("Counted: just what should be there.")
    expect(page.get_by_role("button", name="It was paid in")).to_have_count(0)
    page.fill("#to", "The boss")
    page.get_by_role("button", name="Hand it over").click()
    expect(page.get_by_role("button", name="Hand it over")).to_have_count(0)
    assert shifts.show(context, int(address.rpartition("/")[2])).handed_to == "The boss"
    assert [text for text in visitor.complaints if "422" not in text] == []

"""A customer of a reseller buys at its own pages; the reseller earns by it and sees that (R1)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

import pytest
from playwright.sync_api import Page, expect

from billing.model.commerce import MoneyChannel
from billing.services import customers, resellers, sales, self_purchases
from billing.services.context import Context
from billing.services.customers import NewCustomer, NewSubscription
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import Isp

SIZES = {"phone": (PHONE["width"], PHONE["height"]), "desk": (1280, 800)}
PASSWORD = "river stone 12"


def _shop(context: Context, isp: Isp, began: datetime, name: str) -> int:
    """A reseller that pays 3.00 for a package and sells it for 6.00; a customer with 20.00."""
    made = resellers.add(context, name=name, parent_org_id=1, profile_id=isp.profile_id, now=began)
    resellers.set_cost(context, made.org_id, isp.plan_id, 3_000_000, began)
    resellers.set_retail(context, made.org_id, isp.plan_id, 6_000_000, began)
    profile_id = customers.get_customer(context, made.account_customer_id).profile_id
    number = customers.add_subscriber(
        replace(context, home_org_id=made.org_id),
        NewCustomer(name=f"Mara of {name}", profile_id=profile_id),
        NewSubscription(username=f"mara-{name}", password=PASSWORD),
        began,
    )
    sales.topup(
        context,
        customers.customer_of(context, number),
        20_000_000,
        channel=MoneyChannel.CARD,
        idempotency_key="card",
        now=began,
    )
    return made.org_id


def _log_in(visitor: Visitor, username: str) -> Page:
    page = visitor.page
    visitor.open("/my/login")
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    page.locator("button[type=submit]").click()
    expect(page.locator(".my-name")).to_be_visible()
    return page


def _send(page: Page) -> None:
    page.locator(".panel-form .panel-buttons button[type=submit]").click()


@pytest.mark.rule("R1", "B4")
@pytest.mark.parametrize("size", SIZES)
def test_what_a_customer_buys_at_its_pages_is_in_the_resellers_statement(
    visitor: Visitor, context: Context, isp: Isp, owner: str, began: datetime, size: str
) -> None:
    name = f"self-{size}"
    org_id = _shop(context, isp, began, name)
    visitor.page.set_viewport_size({"width": SIZES[size][0], "height": SIZES[size][1]})
    page = _log_in(visitor, f"mara-{name}")
    visitor.open("/my/buy")
    expect(page.locator("main")).to_contain_text("Week 20 GB")
    expect(page.locator("main")).to_contain_text("6.00 USD")
    expect(page.locator("main")).not_to_contain_text("Home 50")
    assert visitor.overflow() == 0
    visitor.open(f"/my/buy/{isp.plan_id}")
    page.locator("main form button[type=submit]").click()
    expect(page.get_by_role("status")).to_contain_text("Week 20 GB is yours for 6.00 USD")
    # What it has is told at its first page.
    expect(page.locator("main")).to_contain_text("Week 20 GB")
    (bought,) = self_purchases.listed(context, org_id)
    assert (bought.paid_micros, bought.earned_micros) == (6_000_000, 3_000_000)
    assert resellers.show(context, org_id).available_micros == 3_000_000
    visitor.log_in(owner).wait_for_selector("#rows")
    visitor.open(f"/resellers/{org_id}/statement")
    row = page.locator("#earned tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("self service")
    expect(row).to_contain_text("3.00 USD")
    expect(page.locator("#sums")).to_contain_text("3.00 USD")
    assert visitor.overflow() == 0
    answer = page.request.get(f"{visitor.base_url}/resellers/{org_id}/statement/sales.csv")
    if answer.status == 200:
        assert re.search(r"self service,Week 20 GB,1,0,6\.00,3\.00,3\.00,3\.00", answer.text())
    # It is taken back where it is listed; what goes back is shown before.
    visitor.open(f"/resellers/{org_id}")
    page.get_by_role("link", name="Bought by its customers").click()
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    assert visitor.overflow() == 0
    page.get_by_role("link", name="Undo").click()
    _send(page)
    expect(page.locator("#quote")).to_contain_text("into the customer's wallet")
    assert visitor.overflow() == 0
    assert self_purchases.listed(context, org_id)[0].back_at is None
    _send(page)
    expect(page.locator("#rows tbody tr")).not_to_contain_text("Undo")
    assert self_purchases.listed(context, org_id)[0].back_micros > 5_900_000
    assert resellers.show(context, org_id).available_micros < 50_000
    # The switch is in its limits.
    visitor.open(f"/resellers/{org_id}")
    expect(page.locator(".panel-head")).to_contain_text("earns by what customers buy")
    visitor.open(f"/resellers/{org_id}/limits")
    assert page.is_checked("#earns_on_self_service")
    page.uncheck("#earns_on_self_service")
    assert visitor.overflow() == 0
    _send(page)
    expect(page.locator(".panel-head")).to_contain_text("does not earn by")
    assert not resellers.show(context, org_id).earns_on_self_service
    assert [text for text in visitor.complaints if "422" not in text] == []


@pytest.mark.rule("R1")
def test_a_plan_off_the_list_is_not_sold_there(
    visitor: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    org_id = _shop(context, isp, began, "off")
    resellers.set_cost(context, org_id, isp.plan_id, None, began)
    page = _log_in(visitor, "mara-off")
    visitor.open("/my/buy")
    expect(page.locator("main")).not_to_contain_text("Week 20 GB")
    visitor.open(f"/my/buy/{isp.plan_id}")
    expect(page.locator("main")).to_contain_text("is on sale")
    assert self_purchases.listed(context, org_id) == []

"""A reseller renews many packages in one go: chosen, reckoned against the wallet, confirmed, each
sold once; on a phone and at a desk (rules R1, M5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from billing.model.commerce import MoneyChannel
from billing.model.staff import StaffRole
from billing.services import customers, reseller_money, reseller_sales, resellers
from billing.services.context import Context
from billing.services.customers import NewCustomer, NewSubscription
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import Isp
from tests.web.people import enrolled

SENT_FIVE_TIMES = """async () => {
    const form = document.querySelector("form[data-once]");
    const body = () => new URLSearchParams(new FormData(form));
    const sent = () => fetch(form.action, {method: "POST", body: body()});
    return (await Promise.all([1, 2, 3, 4, 5].map(sent))).map((answer) => answer.status);
}"""


def _shop(context: Context, isp: Isp, began: datetime, name: str) -> tuple[int, str]:
    """A reseller with five customers whose weeks end tomorrow, and money for three more; its
    number and its owner."""
    long_ago = began - timedelta(days=6)
    shop = resellers.add(
        context, name=name, parent_org_id=1, profile_id=isp.profile_id, now=long_ago
    )
    resellers.set_cost(context, shop.org_id, isp.plan_id, 4_000_000, long_ago)
    reseller_money.transfer(
        context, shop.org_id, 33_000_000, idempotency_key="fund", now=long_ago,
        channel=MoneyChannel.CASH,
    )  # fmt: skip
    staff = replace(context, home_org_id=shop.org_id)
    profile_id = customers.get_customer(context, shop.account_customer_id).profile_id
    for number in range(5):
        login = f"{name.lower()}{number}"
        subscription_id = customers.add_subscriber(
            staff,
            NewCustomer(name=f"{name} {number}", profile_id=profile_id),
            NewSubscription(username=login, password="correct horse"),
            long_ago,
        )
        at = long_ago + timedelta(minutes=number)
        reseller_sales.sell(staff, subscription_id, isp.plan_id, idempotency_key=login, now=at)
    boss = f"boss@{name.lower()}.example"
    enrolled(context, boss, StaffRole.RESELLER, began, org_id=shop.org_id)
    return shop.org_id, boss


def _wallet(context: Context, org_id: int) -> int:
    return resellers.show(context, org_id).available_micros // 10_000


def _submit(page: Page) -> None:
    page.locator(".panel-buttons button[type=submit]").click()


@pytest.mark.rule("R1", "M5")
@pytest.mark.parametrize(
    ("name", "size"), [("Palm", (PHONE["width"], PHONE["height"])), ("Pine", (1280, 800))]
)
def test_packages_are_renewed_as_far_as_the_wallet_goes(
    visitor: Visitor, context: Context, isp: Isp, began: datetime, name: str, size: tuple[int, int]
) -> None:
    org_id, boss = _shop(context, isp, began, name)
    page = visitor.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    visitor.log_in(boss).wait_for_selector("#rows")
    visitor.open("/counter")
    page.get_by_role("link", name="Renew many").click()
    boxes = page.locator("input[name=chosen]")
    expect(boxes).to_have_count(5)
    assert visitor.overflow() == 0
    page.fill("input[type=search]", f"{name} 3")
    page.get_by_role("button", name="Show").click()
    expect(boxes).to_have_count(1)
    visitor.open("/counter/renew?days=7")
    # All off: nothing is chosen. All on, but one.
    page.locator("[data-all]").uncheck()
    _submit(page)
    expect(page.get_by_role("alert")).to_contain_text("Choose at least one")
    page.locator("[data-all]").uncheck()
    page.locator("[data-all]").check()
    boxes.nth(0).uncheck()
    _submit(page)
    quote = page.locator("#quote")
    expect(quote).to_contain_text("3 of 4")
    expect(quote).to_contain_text("15.00 USD")
    expect(quote).to_contain_text("has 13.00 USD, then 1.00 USD")
    expect(page.locator("#rows tbody tr").nth(3)).to_contain_text("3.00 USD is missing")
    assert visitor.overflow() == 0
    assert _wallet(context, org_id) == 13_00
    # Sent five times at once, then by the button, then loaded anew: sold once.
    assert page.evaluate(SENT_FIVE_TIMES) == [200] * 5
    assert _wallet(context, org_id) == 1_00
    page.get_by_role("button", name="Renew 3 for 15.00 USD").dblclick()
    expect(page.locator("h1")).to_have_text("Renewed: 3 of 3")
    expect(page.locator("#rows")).to_contain_text("Renewed before")
    page.reload()
    expect(page.locator("h1")).to_have_text("Renewed: 3 of 3")
    assert visitor.overflow() == 0
    assert _wallet(context, org_id) == 1_00
    assert len(reseller_sales.listed(context, org_id)) == 5 + 3
    page.get_by_role("link", name="Renewed before").first.click()
    expect(page.locator("h1")).to_have_text("Sold: Week 20 GB")
    # Who has it already is not offered again.
    visitor.open("/counter/renew?days=3")
    expect(boxes).to_have_count(2)
    assert [text for text in visitor.complaints if "422" not in text] == []

"""A customer with a phone, in a real browser: from its login to a new password."""

from __future__ import annotations

from datetime import datetime

import pytest
from playwright.sync_api import BrowserContext, expect

from billing.model.commerce import MoneyChannel
from billing.services import customers, sales
from billing.services.context import Context
from tests.web.conftest import Visitor
from tests.web.isp import Isp

SMALL = {"width": 360, "height": 640}
OLD, NEW = "river stone 12", "four green hills"


@pytest.fixture
def fatou(context: Context, isp: Isp, began: datetime) -> int:
    customer = customers.add_customer(
        context, name="Fatou Sarr", profile_id=isp.profile_id, now=began
    )
    number = customers.add_subscription(
        context,
        customer_id=customer.customer_id,
        username="fatou",
        password=OLD,
        now=began,
    )
    sales.topup(
        context,
        customer.customer_id,
        20_000_000,
        channel=MoneyChannel.CASH,
        idempotency_key="fatou",
        now=began,
    )
    return number


def _log_in(visitor: Visitor, password: str) -> None:
    visitor.open("/my/login")
    visitor.page.fill("#username", "fatou")
    visitor.page.fill("#password", password)
    visitor.page.click("button[type=submit]")


@pytest.mark.rule("B4")
def test_log_in_buy_and_change_the_password_on_a_phone(
    visitor: Visitor, browsing: BrowserContext, fatou: int
) -> None:
    page = visitor.page
    page.set_viewport_size(SMALL)
    _log_in(visitor, OLD)
    expect(page.locator("#balance")).to_have_text("20.00 USD")
    expect(page.locator("#state")).to_contain_text("There is no package")
    assert visitor.overflow() == 0
    page.get_by_role("link", name="Buy a package").click()
    page.get_by_role("link", name="Choose Week 20 GB").click()
    expect(page.locator("#quote")).to_contain_text("15.00 USD")
    assert visitor.overflow() == 0
    page.get_by_role("button", name="Buy for 5.00 USD").click()
    expect(page.get_by_role("status")).to_contain_text("Week 20 GB is yours for 5.00 USD")
    expect(page.locator("#state")).to_contain_text("Your service is on")
    expect(page.locator("#left")).to_contain_text("20 GB of 20 GB")
    expect(page.locator("#balance")).to_have_text("15.00 USD")
    for path in ("/my/", "/my/buy", "/my/bills", "/my/usage", "/my/settings", "/my/password"):
        visitor.open(path)
        assert visitor.overflow() == 0, path
    page.fill("#old", OLD)
    page.fill("#new", NEW)
    page.fill("#again", NEW)
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("status")).to_contain_text("is changed")
    page.get_by_role("button", name="Log out").click()
    assert visitor.complaints == []
    _log_in(visitor, OLD)
    expect(page.get_by_role("alert")).to_have_text("Wrong user name or password")
    _log_in(visitor, NEW)
    expect(page.locator("#balance")).to_have_text("15.00 USD")


def test_what_is_left_renews_itself_and_the_plot_is_drawn(
    visitor: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    customers.set_password(context, isp.running_id, OLD, began)
    page = visitor.page
    page.set_viewport_size(SMALL)
    visitor.open("/my/login")
    page.fill("#username", "amina")
    page.fill("#password", OLD)
    page.click("button[type=submit]")
    expect(page.locator("#balance")).to_have_text("0.00 USD")
    sales.topup(
        context,
        customers.customer_of(context, isp.running_id),
        3_000_000,
        channel=MoneyChannel.CASH,
        idempotency_key="amina",
        now=began,
    )
    with page.expect_response("**/my/now"):
        page.evaluate("htmx.ajax('GET', '/my/now', {target: '#now', swap: 'outerHTML'})")
    expect(page.locator("#balance")).to_have_text("3.00 USD")
    visitor.open("/my/usage")
    expect(page.locator("#days canvas")).to_be_visible()
    expect(page.locator("#sessions")).to_contain_text("online")
    assert visitor.overflow() == 0
    assert visitor.complaints == []

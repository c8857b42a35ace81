"""A customer pays by PayPal and by mobile money on a small phone, as by card, and keeps the
account; in a real browser (rules P1, P5)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from billing.payments import registry
from billing.services import contacts, gateways, methods, payment_calls, payments
from billing.services.context import Context
from tests.integration.paypal_server import CLIENT_ID, CLIENT_SECRET, WEBHOOK_ID, PayPalServer
from tests.web.conftest import Visitor
from tests.web.isp import Isp
from tests.web.payers import GATEWAYS, PASSWORD, House, house
from tests.web.test_customer_paying_phone import SMALL, follow

EXAMPLE = Path(__file__).parents[2] / "examples" / "mobile_money"
BACK = "https://portal.example/"


@pytest.fixture(scope="module")
def paypal(context: Context, isp: Isp, began: datetime) -> Iterator[PayPalServer]:
    with PayPalServer().serving() as running:
        gateways.add(
            context, GATEWAYS, name="PayPal", adapter="paypal",
            settings={"url": running.url, "client_id": CLIENT_ID, "return_url": BACK},
            secret_settings={"client_secret": CLIENT_SECRET, "webhook_id": WEBHOOK_ID},
            now=began,
        )  # fmt: skip
        yield running


@pytest.fixture(scope="module")
def network(context: Context, isp: Isp, began: datetime) -> Iterator[object]:
    """The example's gateway, as if its package were installed."""
    for place in (EXAMPLE, EXAMPLE / "tests"):
        sys.path.insert(0, str(place))
    from mobile_network import API_KEY, CALLBACK_KEY, MobileNetwork
    from tollway_mobile_money.gateway import open_gateway

    registry._OWN["mobile_money"] = open_gateway
    try:
        with MobileNetwork().serving() as running:
            gateways.add(
                context, GATEWAYS, name="M-Money", adapter="mobile_money",
                settings={"url": running.url, "country_code": "254"},
                secret_settings={"api_key": API_KEY, "callback_key": CALLBACK_KEY}, now=began,
            )  # fmt: skip
            yield running
    finally:
        del registry._OWN["mobile_money"]
        del sys.path[:2]


@pytest.fixture
def phone(
    visitor: Visitor, paypal: PayPalServer, network: object, context: Context, isp: Isp,
    began: datetime,
) -> Iterator[tuple[Visitor, House]]:  # fmt: skip
    """Somebody who is logged in, with a number that can be asked."""
    who = house(context, isp, began)
    contacts.change(
        context,
        who.customer_id,
        began,
        name=f"House {who.username}",
        email=None,
        phone="+254712345678",
    )
    page = visitor.page
    page.set_viewport_size(SMALL)
    visitor.open("/my/login")
    page.fill("#username", who.username)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    expect(page.locator("#balance")).to_have_text("0.00 USD")
    yield visitor, who


def at_paypal(page: Page, paypal: PayPalServer) -> None:
    """PayPal's page: the payer says yes there, and is sent back."""

    def approve(route: Route) -> None:
        number = parse_qs(urlsplit(route.request.url).query)["token"][0]
        order = paypal.orders[number]
        paypal.approve(order["purchase_units"][0]["custom_id"])
        route.fulfill(content_type="text/html", body="<h1>PayPal</h1>")

    page.route("https://www.sandbox.paypal.com/**", approve)


@pytest.mark.rule("P1", "P5")
def test_paypal_pays_and_the_account_is_kept_and_pays_again(
    phone: tuple[Visitor, House], paypal: PayPalServer, context: Context
) -> None:
    visitor, who = phone
    page = follow(visitor, "Top up")
    at_paypal(page, paypal)
    page.fill("#amount", "15")
    page.get_by_label("At PayPal (PayPal)").check()
    page.get_by_label("Keep it on file").check()
    page.get_by_role("button", name="Pay").click()
    expect(page.locator("h1")).to_have_text("PayPal")
    (one,) = payments.listed(context, customer_id=who.customer_id)
    visitor.open(f"/my/payments/{one.attempt_id}")
    expect(page.locator("#payment")).to_contain_text("Not paid yet")
    assert visitor.overflow() == 0
    later = one.created_at + timedelta(minutes=5)
    payment_calls.run_due(context, GATEWAYS, lambda: later)
    expect(page.locator("#payment")).to_contain_text("15.00 USD was paid", timeout=30_000)
    (method,) = methods.of_customer(context, who.customer_id)
    page = follow(visitor, "Top up")
    page.fill("#amount", "5")
    page.get_by_label(method.label).check()
    page.get_by_role("button", name="Pay").click()
    expect(page.locator("#payment")).to_contain_text("5.00 USD was paid")
    expect(page.locator("#balance")).to_have_text("20.00 USD")
    visitor.open("/my/methods")
    expect(page.locator("#content, main")).to_contain_text(method.label)
    assert visitor.overflow() == 0


@pytest.mark.rule("P1")
def test_mobile_money_is_confirmed_on_the_phone(
    phone: tuple[Visitor, House], network: object, context: Context
) -> None:
    visitor, who = phone
    page = follow(visitor, "Top up")
    page.fill("#amount", "12")
    page.get_by_label("By a prompt on my phone (M-Money)").check()
    page.get_by_role("button", name="Pay").click()
    expect(page.locator("#payment")).to_contain_text("Confirm it on your phone")
    expect(page.locator("#payment")).not_to_contain_text("cannot be opened")
    assert visitor.overflow() == 0
    (one,) = payments.listed(context, customer_id=who.customer_id)
    # However often it is asked what came of it, nobody is told that nothing was taken.
    for minutes in (2, 5, 9):
        at = one.created_at + timedelta(minutes=minutes)
        payment_calls.run_due(context, GATEWAYS, lambda at=at: at)
    page.reload()
    expect(page.locator("#payment")).to_contain_text("Confirm it on your phone")
    network.confirm(one.key)  # type: ignore[attr-defined]
    at = one.created_at + timedelta(hours=3)
    payment_calls.run_due(context, GATEWAYS, lambda: at)
    expect(page.locator("#payment")).to_contain_text("12.00 USD was paid", timeout=30_000)
    expect(page.locator("#balance")).to_have_text("12.00 USD")

"""A customer pays by Stripe in a real browser: to its page, where a card is declined and another is
not, and back (docs/payments.md says what stands in for Stripe)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from playwright.sync_api import expect

from billing.services import gateways
from billing.services.context import Context
from tests.integration.stripe_server import StripeServer
from tests.web.conftest import Visitor
from tests.web.isp import Isp
from tests.web.payers import GATEWAYS, PASSWORD, house

SMALL = {"width": 320, "height": 640}
DECLINED, GOOD = "4000000000000002", "4242424242424242"


@pytest.fixture(scope="module")
def stripe_server() -> Iterator[StripeServer]:
    with StripeServer().serving() as running:
        yield running


@pytest.mark.rule("P1", "P5")
def test_a_card_is_typed_at_stripe_kept_and_another_is_added(
    visitor: Visitor, stripe_server: StripeServer, context: Context, isp: Isp, began: datetime
) -> None:
    gateways.add(
        context,
        GATEWAYS,
        name="stripe",
        adapter="stripe",
        settings={"url": stripe_server.url, "timeout_seconds": "10"},
        secret_settings={"api_key": "sk_test_x", "signing_secret": "whsec_x"},
        now=began,
    )
    who = house(context, isp, began)
    page = visitor.page
    page.set_viewport_size(SMALL)
    visitor.open("/my/login")
    page.fill("#username", who.username)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    expect(page.locator("#balance")).to_have_text("0.00 USD")
    visitor.open("/my/topup")
    page.fill("#amount", "12.34")
    page.get_by_label("Keep it on file").check()
    page.get_by_role("button", name="Pay").click()
    for number in (DECLINED, GOOD):
        expect(page.locator("h1")).to_have_text("Checkout")
        page.get_by_label("Card").fill(number)
        page.get_by_role("button", name="Pay").click()
        if number == DECLINED:
            expect(page.get_by_role("alert")).to_have_text("Your card was declined.")
    expect(page.locator("#payment")).to_contain_text("12.34 USD was paid")
    expect(page.locator("#balance")).to_have_text("12.34 USD")
    visitor.open("/my/topup")
    page.get_by_label("Visa …4242, until 08/2031").check()
    page.fill("#amount", "5")
    page.get_by_role("button", name="Pay").click()
    expect(page.locator("#balance")).to_have_text("17.34 USD")
    visitor.open("/my/methods")
    page.get_by_role("button", name="Add a card").click()
    expect(page.locator("h1")).to_have_text("Checkout")
    page.get_by_label("Card").fill("5555555555554444")
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("status").first).to_contain_text("It is on file")
    expect(page.locator("[data-method]")).to_have_count(2)
    assert visitor.overflow() == 0
    assert visitor.complaints == []

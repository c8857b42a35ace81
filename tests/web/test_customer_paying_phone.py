"""A customer pays with a phone, in a real browser: to the provider's page and back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from playwright.sync_api import Page, expect

from billing.model.commerce import MoneyChannel
from billing.model.vouchers import CodeFormat, NewBatch
from billing.services import gateways, payments, voucher_sales, vouchers
from billing.services.context import Context
from billing.services.voucher_sales import Range
from rig.provider import Fault, Provider
from tests.web.conftest import Visitor
from tests.web.isp import Isp
from tests.web.payers import PASSWORD, UNIT, House, add_gateway, house

SMALL = {"width": 320, "height": 640}


@pytest.fixture(scope="module")
def provider(context: Context, isp: Isp, began: datetime) -> Iterator[Provider]:
    with Provider().serving() as running:
        add_gateway(context, running, began)
        yield running


@pytest.fixture
def phone(
    visitor: Visitor, provider: Provider, context: Context, isp: Isp, began: datetime
) -> Iterator[tuple[Visitor, House]]:
    """Somebody who is logged in; the browser complains of nothing on the way."""
    who = house(context, isp, began)
    page = visitor.page
    page.set_viewport_size(SMALL)
    visitor.open("/my/login")
    page.fill("#username", who.username)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    expect(page.locator("#balance")).to_have_text("0.00 USD")
    yield visitor, who
    assert visitor.complaints == []


def follow(visitor: Visitor, name: str) -> Page:
    """A link of the wallet; nothing is wider than the window."""
    visitor.open("/my/")
    assert visitor.overflow() == 0
    visitor.page.get_by_role("navigation", name="Wallet").get_by_role("link", name=name).click()
    expect(visitor.page.locator("h1")).to_be_visible()
    assert visitor.overflow() == 0, name
    return visitor.page


def at_provider(page: Page, button: str) -> None:
    expect(page.locator("h1")).to_have_text("Payment page")
    page.get_by_role("button", name=button, exact=True).click()


@pytest.mark.rule("P1")
def test_a_wallet_is_topped_up_at_the_payment_page(phone: tuple[Visitor, House]) -> None:
    visitor, _ = phone
    page = follow(visitor, "Top up")
    page.fill("#amount", "15")
    page.get_by_role("button", name="Pay").click()
    at_provider(page, "Back without paying")
    expect(page.locator("#payment")).to_contain_text("Not paid yet")
    assert visitor.overflow() == 0
    page.get_by_role("link", name="Go on to the payment page").click()
    at_provider(page, "Pay with a stolen card")
    expect(page.locator("#payment")).to_contain_text("Use another card, or ask your bank.")
    page.get_by_role("link", name="Try again").click()
    expect(page.locator("#amount")).to_have_value("15.00")
    page.get_by_role("button", name="Pay").dblclick()
    at_provider(page, "Pay")
    expect(page.locator("#payment")).to_contain_text("15.00 USD was paid")
    expect(page.locator("#balance")).to_have_text("15.00 USD")
    page.go_back()
    page.go_forward()
    follow(visitor, "Payments")
    expect(page.locator("#payments li")).to_have_count(2)
    visitor.open("/my/")
    expect(page.locator("#balance")).to_have_text("15.00 USD")


@pytest.mark.rule("P1")
def test_a_page_that_waits_says_by_itself_that_it_was_paid(
    phone: tuple[Visitor, House], provider: Provider, context: Context
) -> None:
    visitor, who = phone
    page = follow(visitor, "Top up")
    page.fill("#amount", "6")
    page.get_by_role("button", name="Pay").click()
    at_provider(page, "Back without paying")
    expect(page.locator("#payment")).to_contain_text("Not paid yet")
    (one,) = payments.listed(context, customer_id=who.customer_id)
    provider.finish(one.key)
    now = one.created_at
    found = next(row for row in gateways.listed(context) if row.gateway_id == one.gateway_id)
    body, headers = provider.event("payment.paid", provider.payments[one.key], now)
    answer = page.request.post(
        f"{visitor.base_url}/hooks/{found.hook_token}", data=body, headers=headers
    )
    assert answer.status == 200
    expect(page.locator("#payment")).to_contain_text("6.00 USD was paid", timeout=30_000)


@pytest.mark.rule("P5", "P7")
def test_a_card_is_left_and_recharges_the_wallet_by_itself(phone: tuple[Visitor, House]) -> None:
    visitor, _ = phone
    page = follow(visitor, "Auto-recharge")
    page.get_by_role("link", name="Add a card").click()
    page.get_by_role("button", name="Add a card").click()
    at_provider(page, "Pay with a stolen card")
    expect(page.locator("#setup")).to_contain_text("Not on file")
    page.get_by_role("link", name="Cards on file").click()
    page.get_by_role("button", name="Add a card").click()
    at_provider(page, "Pay")
    expect(page.get_by_role("status").first).to_contain_text("It is on file")
    expect(page.locator("[data-method]")).to_contain_text("Visa …1881")
    assert visitor.overflow() == 0
    page = follow(visitor, "Auto-recharge")
    page.fill("#threshold", "five")
    page.fill("#amount", "20")
    page.get_by_role("button", name="Turn it on").click()
    expect(page.locator("#field-threshold .panel-error")).to_be_visible()
    assert visitor.overflow() == 0
    page.fill("#threshold", "5")
    page.get_by_role("button", name="Turn it on").click()
    expect(page.locator("#setting")).to_contain_text("20.00 USD from Visa …1881")
    assert visitor.overflow() == 0
    page.get_by_role("button", name="Turn it off").click()
    expect(page.locator("#setting")).to_contain_text("Off")
    follow(visitor, "Cards")
    page.get_by_role("link", name="Remove Visa …1881").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("status").first).to_contain_text("not on file any more")
    visitor.complaints[:] = [text for text in visitor.complaints if "422" not in text]


@pytest.mark.rule("P1")
def test_a_card_on_file_pays_without_the_payment_page(
    phone: tuple[Visitor, House], provider: Provider
) -> None:
    visitor, _ = phone
    page = follow(visitor, "Top up")
    page.fill("#amount", "9")
    page.get_by_label("Keep it on file for the next time").check()
    page.get_by_role("button", name="Pay").click()
    at_provider(page, "Pay")
    expect(page.locator("#balance")).to_have_text("9.00 USD")
    page = follow(visitor, "Top up")
    expect(page.locator("#amount")).to_have_value("9.00")
    provider.fail("POST /payments", Fault.DOWN)
    page.get_by_label("Card …4242").check()
    page.get_by_role("button", name="Pay").click()
    expect(page.locator("#payment")).to_contain_text("Do not pay it again")
    assert visitor.overflow() == 0
    page = follow(visitor, "Top up")
    expect(page.locator("main")).to_contain_text("that you began is not finished")
    page.get_by_role("button", name="Pay").click()
    expect(page.locator("#balance")).to_have_text("18.00 USD")


@pytest.mark.rule("R3")
def test_a_voucher_is_redeemed(
    phone: tuple[Visitor, House], context: Context, isp: Isp, began: datetime
) -> None:
    visitor, _ = phone
    wanted = NewBatch(
        name="kiosk",
        count=1,
        code=CodeFormat(length=12),
        profile_id=isp.profile_id,
        plan_id=None,
        amount_micros=10 * UNIT,
        expires_at=None,
    )
    batch = vouchers.make_batch(context, wanted, began)
    codes: list[str] = []
    vouchers.hand_over(
        context, batch.batch_id, lambda _, found: codes.extend(one.code for one in found), began
    )
    voucher_sales.activate(
        context,
        Range(batch_id=batch.batch_id),
        idempotency_key="kiosk",
        now=began,
        pay_by=MoneyChannel.CASH,
    )
    page = follow(visitor, "Voucher")
    page.fill("#code", "not one")
    page.get_by_role("button", name="Redeem").click()
    expect(page.locator("#field-code .panel-error")).to_be_visible()
    assert visitor.overflow() == 0
    page.fill("#code", codes[0])
    page.get_by_role("button", name="Redeem").click()
    expect(page.get_by_role("status")).to_contain_text("10.00 USD was put into your wallet")
    expect(page.locator("#balance")).to_have_text("10.00 USD")
    visitor.complaints[:] = [text for text in visitor.complaints if "422" not in text]

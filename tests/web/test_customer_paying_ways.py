"""A customer pays by PayPal and by mobile money on a small phone, as by card, and keeps the
account; in a real browser (rules P1, P5)."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from re import Pattern
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from billing.clock import utc_now
from billing.model.payments import PaymentView
from billing.payments import registry
from billing.services import (
    bills,
    books,
    catalog,
    contacts,
    customers,
    gateways,
    methods,
    payment_calls,
    payments,
    prepayments,
    subscribers,
)
from billing.services.context import Context
from tests.integration.paypal_server import CLIENT_ID, CLIENT_SECRET, WEBHOOK_ID, PayPalServer
from tests.web.conftest import Visitor
from tests.web.isp import MONTHLY, Isp
from tests.web.payers import GATEWAYS, PASSWORD, UNIT, House, house
from tests.web.test_customer_paying_phone import SMALL, follow

EXAMPLE = Path(__file__).parents[2] / "examples" / "mobile_money"
BACK = "https://portal.example/"
PHONE = "+254712345678"


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
) -> tuple[Visitor, House]:  # fmt: skip
    """Somebody who is logged in, with a number that can be asked."""
    who = house(context, isp, began)
    enter(visitor, context, who, began)
    return visitor, who


def enter(visitor: Visitor, context: Context, who: House, began: datetime) -> None:
    """Logged in, with a number that can be asked."""
    contacts.change(
        context, who.customer_id, began, name=f"House {who.username}", email=None, phone=PHONE
    )
    page = visitor.page
    page.set_viewport_size(SMALL)
    visitor.open("/my/login")
    page.fill("#username", who.username)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    expect(page.locator("#balance")).to_be_visible()


def at_paypal(page: Page, paypal: PayPalServer, *, comes_back: bool = True) -> Callable[[], None]:
    """PayPal's page: the payer says yes there (at once, or when what is returned is called), and
    goes back by a link."""
    willing = [comes_back]

    def shown(route: Route) -> None:
        number = parse_qs(urlsplit(route.request.url).query)["token"][0]
        order = paypal.orders[number]
        if willing[0]:
            paypal.approve(order["purchase_units"][0]["custom_id"])
        place = paypal.places[number]["return_url" if willing[0] else "cancel_url"]
        # PayPal says which order it was.
        back = html.escape(f"{place}&token={number}")
        page_there = f'<h1>PayPal</h1><a href="{back}">Back</a>'
        route.fulfill(content_type="text/html", body=page_there)

    page.route("https://www.sandbox.paypal.com/**", shown)
    return lambda: willing.__setitem__(0, True)


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
    page.get_by_label("By a prompt on my phone").check()
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


def expected_bill(context: Context, who: House, began: datetime) -> str:
    """The number of a bill of 30.00."""
    bill = bills.issue_bill(
        context,
        who.subscription_id,
        cycle_from=began.date() - timedelta(days=3),
        cycle_until=began.date() + timedelta(days=27),
        amount_micros=30 * UNIT,
        now=began - timedelta(days=3),
    )
    return bill.number


def pay_bill(visitor: Visitor, number: str, way: str | Pattern[str]) -> Page:
    """From the list of bills to the button that pays; nothing is wider than the phone."""
    page = visitor.open("/my/bills")
    card = page.locator(f'[data-bill="{number}"]')
    expect(card).to_contain_text("30.00 USD")
    assert visitor.overflow() == 0
    card.get_by_role("link", name="Pay", exact=True).click()
    expect(page.locator("#quote")).to_contain_text("Missing")
    assert visitor.overflow() == 0
    page.get_by_role("link", name="Pay online").click()
    expect(page.locator("#field-way")).to_be_visible()
    assert visitor.overflow() == 0
    page.get_by_label(way).check()
    page.get_by_role("button", name="Pay 30.00 USD").click()
    return page


@pytest.fixture
def renter(
    visitor: Visitor, paypal: PayPalServer, network: object, context: Context, isp: Isp,
    began: datetime,
) -> tuple[Visitor, House, str]:  # fmt: skip
    """Somebody with a month's bill, logged in."""
    profiles = [one for one in catalog.list_profiles(context) if one.profile.name == MONTHLY.name]
    who = house(context, isp, began - timedelta(days=60), profiles[0].profile_id)
    number = expected_bill(context, who, began)
    enter(visitor, context, who, began)
    return visitor, who, number


@pytest.mark.rule("B8", "P1", "I4")
def test_a_bill_is_paid_at_paypal(
    renter: tuple[Visitor, House, str], paypal: PayPalServer, context: Context, began: datetime
) -> None:
    visitor, who, number = renter
    before = paypal.taken()
    says_yes = at_paypal(visitor.page, paypal, comes_back=False)
    page = pay_bill(visitor, number, "At PayPal (PayPal)")
    expect(page.locator("h1")).to_have_text("PayPal")
    # He comes back without having said yes: nothing is taken, and he may go on.
    page.get_by_role("link", name="Back").click()
    expect(page.locator("#payment")).to_contain_text("Not paid yet")
    assert visitor.overflow() == 0
    assert paypal.taken() == before
    # The bill says that something of it is on its way.
    visitor.open("/my/bills")
    page.locator(f'[data-bill="{number}"]').get_by_role("link", name="Pay", exact=True).click()
    page.get_by_role("link", name="Pay online").click()
    expect(page.locator(".alert-warning")).to_contain_text("30.00 USD that you began")
    assert visitor.overflow() == 0
    page.get_by_role("link", name="Look at it").click()
    says_yes()
    page.get_by_role("link", name="Go on to the payment page").click()
    expect(page.locator("h1")).to_have_text("PayPal")
    page.get_by_role("link", name="Back").click()
    expect(page.locator("#payment")).to_contain_text(
        "30.00 USD was paid. Your bill is paid with it"
    )
    assert visitor.overflow() == 0
    assert paypal.taken() == before + 30
    # Loaded again, and come back to again, it is paid once.
    page.reload()
    page.go_back()
    expect(page.locator("h1")).to_be_visible()
    visitor.open("/my/bills")
    card = page.locator(f'[data-bill="{number}"]')
    expect(card).to_contain_text("paid")
    expect(card.get_by_role("link", name="Pay", exact=True)).to_have_count(0)
    assert subscribers.show(context, who.subscription_id, began).unpaid_bills == ()
    assert paypal.taken() == before + 30 and paypal.broken == []
    assert books.check_ledger(context, began).findings == ()
    assert visitor.complaints == []


@pytest.mark.rule("B8", "P1", "I4")
def test_a_bill_is_paid_by_a_prompt_on_the_phone(
    renter: tuple[Visitor, House, str], network: object, context: Context, began: datetime
) -> None:
    visitor, who, number = renter
    page = pay_bill(visitor, number, f"By a prompt on my phone {PHONE} (M-Money)")
    expect(page.locator("#payment")).to_contain_text("Confirm it on your phone")
    expect(page.locator("#payment")).to_contain_text("asks you for 30.00 USD")
    assert visitor.overflow() == 0
    (one,) = payments.listed(context, customer_id=who.customer_id)
    assert network.pushes[one.key]["phone"] == PHONE  # type: ignore[attr-defined]
    # Too little money there: what to do then, and the same bill again.
    called_back(page, visitor, context, network, one, "push.refused", "too_little_money")
    expect(page.locator("#payment")).to_contain_text("Too little money.", timeout=30_000)
    expect(page.locator("#payment")).to_contain_text("See whether there is enough on your phone")
    assert visitor.overflow() == 0
    page.get_by_role("link", name="Try again").click()
    expect(page.locator("#quote")).to_contain_text("30.00 USD")
    page.get_by_label("By a prompt on my phone").check()
    page.get_by_role("button", name="Pay 30.00 USD").click()
    expect(page.locator("#payment")).to_contain_text("Confirm it on your phone")
    (second, _) = payments.listed(context, customer_id=who.customer_id)
    called_back(page, visitor, context, network, second, "push.expired")
    expect(page.locator("#payment")).to_contain_text("not confirmed on your phone", timeout=30_000)
    page.get_by_role("link", name="Try again").click()
    page.get_by_label("By a prompt on my phone").check()
    page.get_by_role("button", name="Pay 30.00 USD").click()
    expect(page.locator("#payment")).to_contain_text("Confirm it on your phone")
    third = payments.listed(context, customer_id=who.customer_id)[0]
    called_back(page, visitor, context, network, third, "push.confirmed")
    expect(page.locator("#payment")).to_contain_text("Your bill is paid with it", timeout=30_000)
    assert visitor.overflow() == 0
    page.get_by_role("link", name="My bills").click()
    expect(page.locator(f'[data-bill="{number}"]')).to_contain_text("paid")
    assert subscribers.show(context, who.subscription_id, began).unpaid_bills == ()
    assert books.check_ledger(context, began).findings == ()
    assert visitor.complaints == []


@pytest.mark.rule("P5", "M5")
@pytest.mark.parametrize("way", ["PayPal", "M-Money"])
def test_a_prepayment_invoice_is_credited_when_it_is_paid_and_not_before(
    phone: tuple[Visitor, House], paypal: PayPalServer, network: object, context: Context,
    began: datetime, way: str,
) -> None:  # fmt: skip
    visitor, who = phone
    page = visitor.page
    prepayments.set_up(context, who.customer_id, 20 * UNIT, now=began)
    prepayments.run(context, began)
    (asked,) = prepayments.invoices_of(context, who.customer_id)
    visitor.open("/my/bills")
    expect(page.locator(f'[data-prepayment="{asked.number}"]')).to_contain_text("20.00 USD")
    assert visitor.overflow() == 0
    page.get_by_role("link", name=f"Pay {asked.number}").click()
    expect(page.locator("#quote")).to_contain_text("20.00 USD")
    assert visitor.overflow() == 0
    if way == "PayPal":
        at_paypal(page, paypal)
    page.get_by_label(f"({way})").check()
    page.get_by_role("button", name="Pay 20.00 USD").click()
    if way == "PayPal":
        expect(page.locator("h1")).to_have_text("PayPal")
        assert _posted(context, who) == 0
        page.get_by_role("link", name="Back").click()
    else:
        expect(page.locator("#payment")).to_contain_text("Confirm it on your phone")
        expect(page.locator("#balance")).to_have_text("0.00 USD")
        (one,) = payments.listed(context, customer_id=who.customer_id)
        called_back(page, visitor, context, network, one, "push.confirmed")
    words = "20.00 USD was paid. It is in your wallet, and the prepayment is met."
    expect(page.locator("#payment")).to_contain_text(words, timeout=30_000)
    expect(page.locator("#balance")).to_have_text("20.00 USD")
    assert visitor.overflow() == 0
    page.get_by_role("link", name="My bills").click()
    expect(page.locator("h1")).to_have_text("Bills")
    expect(page.locator("[data-prepayment]")).to_have_count(0)
    (asked,) = prepayments.invoices_of(context, who.customer_id)
    assert (asked.state, _posted(context, who)) == ("paid", 20 * UNIT)
    assert books.check_ledger(context, began).findings == ()
    assert visitor.complaints == []


@pytest.mark.rule("P1")
def test_who_has_no_number_is_told_so(
    phone: tuple[Visitor, House], network: object, context: Context, began: datetime
) -> None:
    visitor, who = phone
    contacts.change(context, who.customer_id, began, name="House", email=None, phone=None)
    page = follow(visitor, "Top up")
    page.fill("#amount", "12")
    page.get_by_label("By a prompt on my phone (M-Money)").check()
    page.get_by_role("button", name="Pay").click()
    expect(page.locator("#payment")).to_contain_text("There is no phone number to ask")
    expect(page.locator("#payment")).to_contain_text("Ask whether your number is written down")
    assert visitor.overflow() == 0
    assert visitor.complaints == []


def called_back(
    page: Page, visitor: Visitor, context: Context, network: object, one: PaymentView, event: str,
    reason: str = "",
) -> None:  # fmt: skip
    """The payer does something on the phone, and the network tells of it, as it does: later."""
    ended = {"push.refused": "refused", "push.expired": "expired"}
    about = (
        network.end(one.key, ended[event], reason)  # type: ignore[attr-defined]
        if event in ended
        else network.confirm(one.key)  # type: ignore[attr-defined]
    )
    body, headers = network.callback(event, about, utc_now())  # type: ignore[attr-defined]
    token = gateways.find(context, str(one.gateway_id)).hook_token
    answer = page.request.post(f"{visitor.base_url}/hooks/{token}", data=body, headers=headers)
    assert answer.status == 200


def _posted(context: Context, who: House) -> int:
    """What is in the wallet, in micros."""
    (wallet,) = customers.get_customer(context, who.customer_id).wallets
    return wallet.posted_micros

"""Guests buy at the captive portal, in a real browser of a phone: at Stripe's, PayPal's and the
sandbox's page, and back to the hotspot, whose login real FreeRADIUS decides (B13, P1, R3, M5)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email.message import EmailMessage
from http.client import HTTPConnection
from itertools import count
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from billing.jobs import mailer
from billing.model.hotspots import HotspotOrder
from billing.services import (
    books,
    customers,
    gateways,
    hotspot_offers,
    hotspot_orders,
    payment_calls,
    payments,
    voucher_runs,
    vouchers,
)
from billing.services.context import Context
from billing.settings import Settings
from rig.provider import Provider
from tests.factories import DAY_PLAN, Factory
from tests.integration.mail_server import MailServer
from tests.integration.paypal_server import CLIENT_ID, CLIENT_SECRET, WEBHOOK_ID, PayPalServer
from tests.integration.stripe_server import StripeServer
from tests.integration.voucher_desk import Desk
from tests.web.conftest import OpenHotspot, Visitor
from tests.web.hotspots import Chilli, Gateway, Mikrotik
from tests.web.isp import Isp
from tests.web.payers import GATEWAYS, add_gateway
from tests.web.test_customer_paying_ways import at_paypal

pytestmark = pytest.mark.rule("B13", "P1")
DECLINED, GOOD = "4000000000000002", "4242424242424242"
_guests = count(1)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider().serving() as running:
        yield running


@pytest.fixture(scope="module")
def cards(context: Context, isp: Isp, provider: Provider, began: datetime) -> str:
    return add_gateway(context, provider, began)


@pytest.fixture(scope="module")
def stripe(context: Context, isp: Isp, began: datetime) -> Iterator[StripeServer]:
    with StripeServer().serving() as running:
        gateways.add(
            context, GATEWAYS, name="stripe", adapter="stripe",
            settings={"url": running.url, "timeout_seconds": "10"},
            secret_settings={"api_key": "sk_test_x", "signing_secret": "whsec_x"}, now=began,
        )  # fmt: skip
        yield running


@pytest.fixture(scope="module")
def paypal(context: Context, isp: Isp, began: datetime) -> Iterator[PayPalServer]:
    with PayPalServer().serving() as running:
        gateways.add(
            context, GATEWAYS, name="PayPal", adapter="paypal",
            settings={
                "url": running.url, "client_id": CLIENT_ID, "return_url": "https://isp.example/"
            },
            secret_settings={"client_secret": CLIENT_SECRET, "webhook_id": WEBHOOK_ID}, now=began,
        )  # fmt: skip
        yield running


@pytest.fixture
def shop(
    context: Context, make: Factory, place: OpenHotspot, cards: str, now: datetime
) -> Iterator[Gateway]:
    """A MikroTik that sells a day for 1.00; the books agree afterwards."""
    voucher_runs.run(context, now)
    yield selling(context, make, place(Mikrotik), now)
    assert books.check_ledger(context, now).findings == ()


def selling(context: Context, make: Factory, gateway: Gateway, now: datetime) -> Gateway:
    hotspot_offers.offer(context, gateway.name, [make.plan(now, DAY_PLAN)], now)
    return gateway


def order(page: Page, gateway: Gateway, way: str, email: str = "") -> None:
    """From the hotspot's first page to the page of a gateway."""
    page.goto(gateway.address)
    page.click("#buy")
    page.get_by_role("button", name="1.00 USD").click()
    expect(page.locator("#price")).to_have_text("1.00 USD")
    page.get_by_label(way).check()
    page.fill("#email", email)
    page.get_by_role("button", name="Pay 1.00 USD").click()


def bought(context: Context, email: str) -> HotspotOrder:
    (found,) = hotspot_orders.listed(context, email)
    return found


def an_email() -> str:
    return f"guest{next(_guests)}@mail.example"


def vouchers_of(desk: Desk, order: HotspotOrder) -> int:
    """How many were sold to this guest."""
    rows = desk.rows("SELECT 1 FROM voucher WHERE sold_customer_id = :id", id=order.customer_id)
    return len(rows)


@pytest.mark.rule("R3")
def test_a_card_is_paid_at_stripe_and_the_guest_is_in(
    phone: Visitor, shop: Gateway, stripe: StripeServer, desk: Desk, settings: Settings
) -> None:
    page, email, context = phone.page, an_email(), desk.context
    order(page, shop, "At a payment page (stripe)", email)
    for number in (DECLINED, GOOD):
        expect(page.locator("h1")).to_have_text("Checkout")
        page.get_by_label("Card").fill(number)
        page.get_by_role("button", name="Pay").click()
    expect(page.locator("h1")).to_have_text("Paid: this is your voucher")
    code = page.locator("#code-bought").inner_text()
    expect(page.locator("#left")).to_contain_text("Good for 1 d from when you connect")
    one = bought(context, email)
    assert (one.state, one.problem, vouchers_of(desk, one)) == ("succeeded", None, 1)
    page.click("#connect")
    expect(page.locator("h1")).to_have_text("You are connected")
    assert [login.result for login in shop.logins] == ["accept"]
    assert shop.sent[-1]["username"] == code.replace("-", "")
    expect(page.locator("#left")).to_contain_text("Good until")
    # It is booked as any voucher; the guest's wallet is empty again.
    assert voucher_runs.run(context, one.created_at + timedelta(minutes=5)).logins == 1
    (wallet,) = desk.rows(
        "SELECT sum(p.amount_micros) AS left FROM posting p JOIN journal_entry e"
        " USING (customer_id, entry_id) WHERE account = 'wallet' AND p.customer_id = :id",
        id=one.customer_id,
    )
    assert wallet.left == 0
    _is_in_no_record(settings, code)
    assert phone.complaints == []


def _is_in_no_record(settings: Settings, code: str) -> None:
    plain = code.replace("-", "")
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        for (table,) in admin.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r'"
            " AND c.relnamespace = 'public'::regnamespace"
        ).fetchall():
            text = str(admin.execute(f'SELECT t::text FROM "{table}" t').fetchall())  # noqa: S608
            assert plain not in text and code not in text, table


def test_paypal_pays_and_a_coovachilli_lets_in(
    one_phone: Visitor,
    place: OpenHotspot,
    paypal: PayPalServer,
    context: Context,
    make: Factory,
    now: datetime,
) -> None:
    gateway, page = selling(context, make, place(Chilli), now), one_phone.page
    at_paypal(page, paypal)
    order(page, gateway, "At PayPal (PayPal)", email := an_email())
    expect(page.locator("h1")).to_have_text("PayPal")
    page.goto(gateway.address)
    came_from = page.locator("#ordered").get_attribute("href")
    page.goto(f"{gateway.page.split('/hotspot/')[0]}{came_from}/back")  # as PayPal sends payers
    expect(page.locator("#code-bought")).to_be_visible()
    assert bought(context, email).serial is not None
    page.click("#connect")
    expect(page.locator("h1")).to_have_text("You are connected")
    assert [login.result for login in gateway.logins] == ["accept"]


@pytest.mark.rule("M5")
def test_whoever_never_comes_back_has_a_voucher(
    one_phone: Visitor,
    shop: Gateway,
    provider: Provider,
    cards: str,
    desk: Desk,
    now: datetime,
) -> None:
    """The provider's page is closed after the payment: the worker asks; support finds it by mail,
    phone and payment; the same browser comes back to it, and is let in."""
    page, email, context = one_phone.page, an_email(), desk.context
    order(page, shop, f"At a payment page ({cards})", email)
    expect(page.locator("h1")).to_have_text("Payment page")
    one = bought(context, email)
    key = payments.history(context, one.attempt_id).payment.key
    shop_page = page.context.new_page()
    shop_page.goto(shop.address)
    shop_page.click("#ordered")
    expect(shop_page.locator("#state")).to_have_text("Not paid yet")
    provider.finish(key)
    page.close()
    later = now + timedelta(minutes=5)
    payment_calls.run_due(context, GATEWAYS, lambda: later)
    one = bought(context, email)
    assert (one.state, vouchers_of(desk, one)) == ("succeeded", 1)
    assert one.serial is not None
    for wanted in (email.upper(), str(one.attempt_id), str(one.serial)):
        assert one in hotspot_orders.listed(context, wanted)
    # The page asks for itself anew.
    expect(shop_page.locator("#code-bought")).to_be_visible(timeout=20_000)
    shop_page.goto(shop.address)
    shop_page.click("#ordered")
    shop_page.click("#connect")
    expect(shop_page.locator("h1")).to_have_text("You are connected")
    # Who has lost the code gets another by the voucher's number; the old one is worth nothing.
    new = vouchers.replace(context, one.serial, later)
    shop_page.goto(shop.address)
    shop_page.click("#ordered")
    expect(shop_page.locator("#refused")).to_contain_text("was replaced by another card")
    assert new.code


@pytest.mark.rule("M5", "R3")
def test_parallel_returns_and_events_make_one_voucher(
    one_phone: Visitor, shop: Gateway, provider: Provider, cards: str, desk: Desk, now: datetime
) -> None:
    page, email, context = one_phone.page, an_email(), desk.context
    order(page, shop, f"At a payment page ({cards})", email)
    expect(page.locator("h1")).to_have_text("Payment page")
    one = bought(context, email)
    key = payments.history(context, one.attempt_id).payment.key
    done = provider.finish(key)
    back = str(provider.payments[key]["return_url"])
    hook = next(one.hook_token for one in gateways.listed(context) if one.name == cards)
    panel = back.split("/hotspot/")[0].replace("localhost", "127.0.0.1")

    def come(number: int) -> int:
        parts = urlsplit(back if number % 2 else panel)
        line = HTTPConnection("127.0.0.1", parts.port, timeout=60)
        headers = {"Host": parts.netloc}
        if number % 2:
            line.request("GET", parts.path, headers=headers)
        else:
            body, signed = provider.event("payment.paid", done, now)
            line.request("POST", f"/hooks/{hook}", body, {**headers, **signed})
        answer = line.getresponse()
        answer.read()
        line.close()
        return answer.status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(come, range(16))) <= {200, 302}
    one = bought(context, email)
    assert (one.state, vouchers_of(desk, one)) == ("succeeded", 1)
    page.goto(back)
    expect(page.locator("#code-bought")).to_be_visible()
    assert vouchers_of(desk, one) == 1


def test_who_does_not_pay_gets_nothing_and_may_choose_again(
    one_phone: Visitor, shop: Gateway, cards: str, desk: Desk
) -> None:
    page, email = one_phone.page, an_email()
    order(page, shop, f"At a payment page ({cards})", email)
    page.get_by_role("button", name="Back without paying").click()
    expect(page.locator("#state")).to_have_text("Not paid yet")
    page.get_by_role("button", name="Go on to the payment page").click()
    page.get_by_role("button", name="Pay with a stolen card").click()
    expect(page.locator("#state")).to_have_text("Not paid")
    expect(page.locator("main")).to_contain_text("The card was stolen. Nothing was taken.")
    assert vouchers_of(desk, bought(desk.context, email)) == 0
    page.get_by_role("button", name="Choose again").click()
    expect(page.locator("h1")).to_have_text("Buy access")
    assert one_phone.overflow() == 0
    assert one_phone.complaints == []


def test_money_that_was_not_asked_for_is_kept_and_the_guest_is_told_not_to_pay_again(
    one_phone: Visitor, shop: Gateway, cards: str, desk: Desk, provider: Provider
) -> None:
    page, email = one_phone.page, an_email()
    order(page, shop, f"At a payment page ({cards})", email)
    expect(page.locator("h1")).to_have_text("Payment page")
    key = next(reversed(provider.payments))
    provider.payments[key]["amount"] = 99
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.locator("#state")).to_have_text("We have your money")
    said = page.locator("main")
    expect(said).to_contain_text("0.99 USD came, and 1.00 USD was asked for")
    expect(said).to_contain_text("keep it for you")
    expect(said).to_contain_text("Do not pay again: call us")
    expect(said).not_to_contain_text("Nothing was taken")
    expect(page.get_by_role("button", name="Choose again")).to_have_count(0)
    assert vouchers_of(desk, bought(desk.context, email)) == 0
    assert one_phone.overflow() == 0 and one_phone.complaints == []


def test_money_whose_voucher_cannot_be_made_is_kept_and_told(
    one_phone: Visitor, shop: Gateway, cards: str, desk: Desk, settings: Settings
) -> None:
    page, email = one_phone.page, an_email()
    order(page, shop, f"At a payment page ({cards})", email)
    expect(page.locator("h1")).to_have_text("Payment page")
    one = bought(desk.context, email)
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        admin.execute(
            "UPDATE voucher_batch SET expires_at = now() - interval '1 day' WHERE batch_id ="
            " (SELECT batch_id FROM hotspot_order WHERE order_id = %s)",
            (one.order_id,),
        )
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("your voucher could not be made")
    expect(page.get_by_role("alert")).to_contain_text(str(one.attempt_id))
    one = bought(desk.context, email)
    assert (one.state, vouchers_of(desk, one)) == ("succeeded", 0)
    assert one.problem is not None and "expired" in one.problem
    (wallet,) = payments_of(desk, one)
    assert wallet == 1_000_000


def payments_of(desk: Desk, one: HotspotOrder) -> list[int]:
    """What is in the guest's wallet."""
    return [
        wallet.posted_micros
        for wallet in customers.get_customer(desk.context, one.customer_id).wallets
    ]


def test_the_code_comes_by_mail(
    one_phone: Visitor, shop: Gateway, cards: str, desk: Desk, settings: Settings, now: datetime
) -> None:
    page, email = one_phone.page, an_email()
    order(page, shop, f"At a payment page ({cards})", email)
    page.get_by_role("button", name="Pay", exact=True).click()
    code = page.locator("#code-bought").inner_text()
    _is_in_no_record(settings, code)
    server = MailServer()
    server.start()
    later = now + timedelta(minutes=1)
    while mailer.tick(
        desk.context, server.channel, "isp@net.example", threading.Event(), lambda: later
    ):
        pass
    mails = server.to(email)
    server.stop()
    (mail,) = [one for one in mails if one["Subject"].startswith("Your voucher")]
    assert code in _text(mail)


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_a_browser_without_the_cookie_needs_the_address(
    browser: Browser, one_phone: Visitor, shop: Gateway, cards: str, portal: str
) -> None:
    page = one_phone.page
    order(page, shop, f"At a payment page ({cards})")
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.locator("#code-bought")).to_be_visible()
    address = page.url
    other = browser.new_context()
    stranger = other.new_page()
    stranger.goto(shop.page)
    expect(stranger.locator("#ordered")).to_have_count(0)
    wrong = address[:-1] + ("0" if address[-1] != "0" else "1")
    for guess in (wrong, f"{portal}/hotspot/orders/7-x"):
        answer = stranger.goto(guess)
        assert answer is not None and answer.status == 404
    stranger.goto(address)  # as at the provider's return, which may be another browser
    expect(stranger.locator("#code-bought")).to_be_visible()
    other.close()


@pytest.mark.rule("R3")
def test_the_code_is_forgotten_in_time(
    one_phone: Visitor, shop: Gateway, cards: str, desk: Desk, now: datetime
) -> None:
    page = one_phone.page
    order(page, shop, f"At a payment page ({cards})", email := an_email())
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.locator("#code-bought")).to_be_visible()
    voucher_runs.run(desk.context, now + hotspot_orders.KEPT_FOR - timedelta(hours=1))
    page.reload()
    expect(page.locator("#code-bought")).to_be_visible()
    voucher_runs.run(desk.context, now + hotspot_orders.KEPT_FOR + timedelta(hours=1))
    page.reload()
    expect(page.locator("main")).to_contain_text("Its code is not kept here any more")
    expect(page.locator("main")).to_contain_text(f"{bought(desk.context, email).serial:08d}")

"""Payments at the desk, in a real browser: a link for the customer, what came of it, refunds,
cards, the list; for the cashier and the support agent, on a phone, with a provider beside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from billing.clock import utc_now
from billing.model.commerce import MoneyChannel
from billing.model.staff import StaffRole
from billing.services import auto_recharge, books, customers, payments, sales
from billing.services import methods as methods_on_file
from billing.services.context import Context
from billing.settings import Settings
from rig.provider import Fault, Provider
from tests.factories import Factory, Subscriber
from tests.integration.till import Till
from tests.web.conftest import PHONE, Desks, Visitor
from tests.web.isp import Isp
from tests.web.people import enrolled

CASHIER, SUPPORT = "till@isp.example", "help@isp.example"
UNIT = 1_000_000
SENT_FIVE_TIMES = """async () => {
    const body = () => new URLSearchParams(new FormData(document.querySelector("#content form")));
    const sent = () => fetch(location.href, {method: "POST", body: body()});
    return (await Promise.all([1, 2, 3, 4, 5].map(sent))).map((answer) => answer.status);
}"""
"""At once, past the page's own guard against a double click."""


@pytest.fixture(scope="module")
def till(context: Context, isp: Isp, settings: Settings, began: datetime) -> Iterator[Till]:
    """The operator's gateway; its staff."""
    enrolled(context, CASHIER, StaffRole.BILLING, began)
    enrolled(context, SUPPORT, StaffRole.SUPPORT, began)
    with Provider().serving() as provider:
        yield Till(context, Factory(context, settings.dsn("radius")), provider, began)


def person(till: Till, isp: Isp, name: str) -> int:
    """The number of a new customer."""
    view = customers.add_customer(till.context, name=name, profile_id=isp.profile_id, now=till.now)
    return view.customer_id


@pytest.fixture
def cashier(desks: Desks, till: Till) -> Iterator[Visitor]:
    """On a phone."""
    visitor = desks.seat(CASHIER)
    visitor.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    yield visitor
    assert [text for text in visitor.complaints if "422" not in text] == []
    assert books.check_ledger(till.context, till.now).findings == ()


def send(page: Page) -> None:
    page.locator(".panel-form .panel-buttons button[type=submit]").click()


def work(till: Till, after: timedelta = timedelta(0)) -> None:
    """What the worker does now, or later; pages live in the present."""
    till.now = utc_now()
    till.work(after)


def begun(till: Till, customer_id: int) -> int:
    """The number of the customer's newest payment."""
    return payments.listed(till.context, customer_id=customer_id)[0].attempt_id


def link_for(visitor: Visitor, till: Till, customer_id: int, amount: str) -> Page:
    """A page to pay at is asked for at the desk, and the payment's page opened."""
    page = visitor.open(f"/customers/{customer_id}")
    page.get_by_role("link", name="Payment link").click()
    expect(page.locator("#amount_micros")).to_be_visible()
    assert visitor.overflow() == 0
    page.fill("#amount_micros", amount)
    send(page)
    said = page.get_by_role("status").first
    expect(said).to_contain_text(f"the customer pays at {till.provider.url}/checkout/")
    said.get_by_role("link").click()
    return page


@pytest.mark.rule("P1", "M5")
def test_a_link_is_handed_out_paid_looked_up_and_given_back_in_parts(
    cashier: Visitor, till: Till, isp: Isp
) -> None:
    customer_id = person(till, isp, "Lena Vogt")
    page = link_for(cashier, till, customer_id, "25.00")
    number = begun(till, customer_id)
    expect(page.locator("#state")).to_have_text("pending")
    expect(page.locator("#pay-link")).to_have_value(f"{till.provider.url}/checkout/pay_1")
    assert cashier.overflow() == 0
    till.provider.finish(payments.history(till.context, number).payment.key)
    page.get_by_role("button", name="Ask the provider").click()
    expect(page.get_by_role("status").first).to_have_text("The provider says: succeeded.")
    expect(page.locator("#facts")).to_contain_text("pay_1")
    expect(page.locator("#paid")).to_contain_text("25.00 USD")
    expect(page.locator("#told tr")).to_have_count(3)
    expect(page.locator("#told")).to_contain_text(CASHIER)
    expect(page.get_by_role("button", name="Ask the provider")).to_have_count(0)
    paper = page.get_by_role("link", name="Print the receipt").get_attribute("href")
    answer = page.request.get(f"{cashier.base_url}{paper}")
    assert (answer.headers["content-type"], answer.body()[:4]) == ("application/pdf", b"%PDF")
    assert cashier.overflow() == 0
    page.get_by_role("link", name="Refund").click()
    send(page)
    expect(page.locator("#field-reason")).to_contain_text("Must be filled in")
    page.fill("#reason", "ordered twice")
    for amount, words in (("25.01", "25.00 USD is left of the payment"), ("1.001", "Finer than"),
                          ("-1", "Must be more than zero"), ("ten", "ten")):  # fmt: skip
        page.fill("#amount", amount)
        send(page)
        expect(page.locator("#field-amount .panel-error")).to_contain_text(words)
    page.fill("#amount", "10.00")
    send(page)
    expect(page.locator("#quote")).to_contain_text("10.00 USD leaves the wallet of Lena Vogt")
    assert cashier.overflow() == 0
    assert payments.history(till.context, number).reversals == ()
    # Asked once more; then five times at once, by which it goes once.
    assert set(page.evaluate(SENT_FIVE_TIMES)) == {200}
    assert len(payments.history(till.context, number).reversals) == 1
    page = cashier.open(f"/payments/{number}")
    expect(page.locator("#facts")).to_contain_text("10.00 USD")
    work(till)
    page = cashier.open(f"/payments/{number}")
    expect(page.locator("#state")).to_have_text("partly refunded")
    expect(page.locator("#told")).to_contain_text("ordered twice")
    page.get_by_role("link", name="Refund").click()
    page.fill("#reason", "the rest")
    page.fill("#amount", "15.01")
    send(page)
    expect(page.locator("#field-amount")).to_contain_text("15.00 USD is left")


def test_a_link_that_is_not_wanted_any_more_is_cancelled(
    cashier: Visitor, till: Till, isp: Isp
) -> None:
    customer_id = person(till, isp, "Milo Petrov")
    page = link_for(cashier, till, customer_id, "8.00")
    page.get_by_role("button", name="Cancel the payment").click()
    expect(page.get_by_role("status").first).to_contain_text("The payment is cancelled")
    expect(page.locator("#state")).to_have_text("cancelled")
    expect(page.locator("#link")).to_have_count(0)
    expect(page.get_by_role("button", name="Cancel the payment")).to_have_count(0)
    # A provider that is down: nothing is half-done, and it is asked until it answers.
    till.provider.fail("POST /payments", Fault.DOWN)
    page = cashier.open(f"/customers/{customer_id}/checkout")
    page.fill("#amount_micros", "9.00")
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("has not said yet what came of it")
    expect(page.locator("#funding")).to_contain_text("9.00 USD, unknown")
    work(till, timedelta(hours=1))


@pytest.mark.rule("P7")
def test_a_card_is_charged_recharges_a_wallet_pauses_goes_on_and_goes(
    cashier: Visitor, till: Till, isp: Isp
) -> None:
    customer_id = person(till, isp, "Nadia Rossi")
    page = cashier.open(f"/customers/{customer_id}/checkout")
    page.check("#saves_method")
    send(page)
    expect(page.locator("#field-amount_micros")).to_contain_text("Must be filled in")
    page.fill("#amount_micros", "5.00")
    send(page)
    number = begun(till, customer_id)
    till.provider.finish(payments.history(till.context, number).payment.key)
    page = cashier.open(f"/payments/{number}")
    page.get_by_role("button", name="Ask the provider").click()
    page = cashier.open(f"/customers/{customer_id}")
    expect(page.locator("#funding")).to_contain_text("Card …4242")
    assert cashier.overflow() == 0
    page.get_by_role("link", name="Charge a card").click()
    page.fill("#amount_micros", "7.00")
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("of 7.00 USD: succeeded")
    till.method(Subscriber(customer_id, 0, ""), "hard")
    page.get_by_role("link", name="Auto-recharge", exact=True).click()
    page.select_option("#method", label="card hard")
    page.fill("#threshold_micros", "20.00")
    page.fill("#amount_micros", "30.00")
    page.fill("#cap_day_micros", "10.00")
    send(page)
    expect(page.locator("#field-cap_day_micros")).to_contain_text("Is less than one recharge")
    page.fill("#cap_day_micros", "")
    assert cashier.overflow() == 0
    send(page)
    expect(page.get_by_role("status").nth(1)).to_have_text("One is on its way.")
    work(till)
    page = cashier.open(f"/customers/{customer_id}")
    expect(page.locator("#funding")).to_contain_text("paused")
    expect(page.locator("#funding")).to_contain_text("the card was stolen")
    page.get_by_role("link", name="Lift the pause").click()
    send(page)
    (setting,) = auto_recharge.settings(till.context, customer_id)
    assert setting.paused_at is None and setting.pending
    # What its provider was not asked for yet is taken back; the recharge pauses no more by that.
    page = cashier.open(f"/payments/{begun(till, customer_id)}")
    page.get_by_role("button", name="Cancel the payment").click()
    expect(page.locator("#state")).to_have_text("cancelled")
    page = cashier.open(f"/customers/{customer_id}")
    page.get_by_role("link", name="Stop auto-recharge").click()
    send(page)
    assert auto_recharge.settings(till.context, customer_id) == []
    page.locator("#funding").get_by_role("link", name="remove").last.click()
    send(page)
    expect(page.locator("#funding")).not_to_contain_text("card hard")
    assert [one.label for one in methods_on_file.of_customer(till.context, customer_id)] == [
        "Card …4242"
    ]


def test_support_asks_and_hands_out_links_and_moves_no_money(
    visitor: Visitor, till: Till, isp: Isp
) -> None:
    customer_id = person(till, isp, "Otto Lang")
    visitor.log_in(SUPPORT).wait_for_selector("#rows")
    page = link_for(visitor, till, customer_id, "3.00")
    number = begun(till, customer_id)
    expect(page.get_by_role("button", name="Ask the provider")).to_have_count(1)
    expect(page.get_by_role("button", name="Cancel the payment")).to_have_count(0)
    till.provider.finish(payments.history(till.context, number).payment.key)
    page.get_by_role("button", name="Ask the provider").click()
    expect(page.locator("#state")).to_have_text("succeeded")
    expect(page.get_by_role("link", name="Refund")).to_have_count(0)
    tabs = page.get_by_role("navigation", name="Money").get_by_role("link")
    visitor.open("/payments")
    expect(tabs).to_have_text(["Payments", "Money of nobody", "Bank statements", "Direct debits"])
    for path in (f"/payments/{number}/refund", f"/customers/{customer_id}/charge-card",
                 "/payments/day", "/payments/day.csv", "/shifts"):  # fmt: skip
        assert page.request.get(f"{visitor.base_url}{path}").status == 403, path
    # Without the form's token nothing is done, whoever asks.
    answer = page.request.post(f"{visitor.base_url}/payments/{number}/cancel")
    assert answer.status in (400, 403)
    assert visitor.complaints == []


def test_the_list_is_narrowed_and_goes_on_page_by_page(
    cashier: Visitor, till: Till, isp: Isp, began: datetime
) -> None:
    customer_id = person(till, isp, "Paula Reyes")
    long_ago = began - timedelta(days=20)
    for number in range(52):
        sales.topup(
            till.context,
            customer_id,
            (100 + number) * 10_000,
            channel=MoneyChannel.CASH,
            idempotency_key=f"list {number}",
            now=long_ago + timedelta(seconds=number),
        )
    page = cashier.open("/payments")
    page.fill("[data-search]", "paula")
    page.keyboard.press("Enter")
    rows = page.locator("#rows tbody tr")
    expect(rows).to_have_count(51)
    expect(rows.first).to_contain_text("1.51 USD")
    assert cashier.overflow() == 0
    page.get_by_role("link", name="Older ones").click()
    expect(rows).to_have_count(2)
    expect(rows.last).to_contain_text("1.00 USD")
    expect(page.locator("[data-search]")).to_have_value("paula")
    day = f"{long_ago:%Y-%m-%d}"
    cashier.open(f"/payments?customer={customer_id}&channel=card")
    expect(page.locator("#rows")).to_contain_text("No money came in that matches")
    cashier.open(f"/payments?day={day}&state=received&q=1")
    assert cashier.overflow() == 0
    cashier.open("/payments?state=succeeded")
    expect(rows.first.get_by_role("link", name="succeeded")).to_be_visible()
    for query, words in (("day=yesterday", "Not a day"), ("state=lost", "no such state"),
                         ("channel=gold", "no such channel"), ("before=1", "Not a place"),
                         (f"q={'x' * 201}", "at most 200")):  # fmt: skip
        page = cashier.open(f"/payments?{query}")
        expect(page.get_by_role("status").first).to_contain_text(words)
    assert page.request.get(f"{cashier.base_url}/payments/999999").status == 404

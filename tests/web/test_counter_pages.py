"""A reseller's counter: search, choose, confirm, receipt, undo; money is asked for and given; what
the wallet did is read. On a phone, and with the keyboard alone."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import pytest
from playwright.sync_api import Page, expect

from billing.model.commerce import MoneyChannel
from billing.model.staff import StaffRole
from billing.model.vouchers import CodeFormat, NewBatch
from billing.services import (
    customers,
    reseller_money,
    reseller_sales,
    resellers,
    vouchers,
)
from billing.services.context import Context
from billing.services.customers import NewCustomer, NewSubscription
from tests.web.conftest import OWNER, Desks, Visitor
from tests.web.isp import Isp
from tests.web.people import enrolled

SENT_FIVE_TIMES = """async () => {
    const body = () => new URLSearchParams(new FormData(document.querySelector("#content form")));
    const sent = () => fetch(location.href, {method: "POST", body: body()});
    return (await Promise.all([1, 2, 3, 4, 5].map(sent))).map((answer) => answer.url);
}"""
"""At once, past the page's own guard against a double click."""
NARROW = {"width": 360, "height": 740}
CASHIER = "till@corner.example"
BOSS = "boss@north.example"


@dataclass(frozen=True)
class Shop:
    """A reseller that sells the week (5.00 USD) at 4.00, and whose parent pays 3.00."""

    parent_org_id: int
    org_id: int
    profile_id: int
    staff: Context
    plan_id: int

    def wallet(self) -> int:
        """In cents."""
        return resellers.show(self.staff, self.org_id).available_micros // 10_000


@pytest.fixture(scope="module")
def shop(context: Context, isp: Isp, began: datetime) -> Shop:
    parent = resellers.add(
        context, name="North Net", parent_org_id=1, profile_id=isp.profile_id, now=began
    )
    child = resellers.add(
        context,
        name="Corner Shop",
        parent_org_id=parent.org_id,
        profile_id=isp.profile_id,
        now=began,
    )
    for org_id, cost_micros in ((parent.org_id, 3_000_000), (child.org_id, 4_000_000)):
        resellers.set_cost(context, org_id, isp.plan_id, cost_micros, began)
    for org_id, channel in ((parent.org_id, MoneyChannel.CASH), (child.org_id, None)):
        reseller_money.transfer(
            context,
            org_id,
            100_000_000 if channel else 30_000_000,
            idempotency_key=f"fund {org_id}",
            now=began,
            channel=channel,
        )
    staff = replace(context, home_org_id=child.org_id, org_ids=(child.org_id,), actor=CASHIER)
    profile_id = customers.get_customer(context, child.account_customer_id).profile_id
    enrolled(context, CASHIER, StaffRole.RESELLER, began, org_id=child.org_id)
    enrolled(context, BOSS, StaffRole.RESELLER, began, org_id=parent.org_id)
    return Shop(parent.org_id, child.org_id, profile_id, staff, isp.plan_id)


@pytest.fixture
def at_counter(desks: Desks, shop: Shop) -> Iterator[Visitor]:
    """The reseller's cashier, on a phone."""
    visitor = desks.seat(CASHIER)
    visitor.page.set_viewport_size({"width": NARROW["width"], "height": NARROW["height"]})
    yield visitor
    assert [text for text in visitor.complaints if "422" not in text] == []


def buyer(shop: Shop, name: str, now: datetime) -> int:
    """The number of a new subscription."""
    return customers.add_subscriber(
        shop.staff,
        NewCustomer(name=name, profile_id=shop.profile_id, phone="+15550177"),
        NewSubscription(username=name.split()[0].lower(), password="correct horse"),
        now,
    )


def send(page: Page) -> None:
    page.locator(".panel-form .panel-buttons button[type=submit]").click()


def sold(shop: Shop, name: str) -> list[int]:
    """Numbers of the sales to a customer."""
    found = reseller_sales.listed(shop.staff, shop.org_id)
    return [one.sale_id for one in found if one.customer_name == name]


@pytest.mark.rule("R1")
def test_a_package_is_sold_in_three_clicks(
    at_counter: Visitor, shop: Shop, began: datetime
) -> None:
    buyer(shop, "Ivana Kos", began)
    before, page = shop.wallet(), at_counter.page
    page.get_by_role("link", name="Sell", exact=True).click()
    expect(page.locator("#wallet")).to_contain_text(f"{before / 100:.2f} USD")
    assert at_counter.overflow() == 0
    page.fill("input[type=search]", "ivana")
    page.keyboard.press("Enter")
    expect(page.locator("#rows tbody tr")).to_contain_text("Ivana Kos")
    assert at_counter.overflow() == 0
    page.get_by_role("link", name="Ivana Kos").click()
    offer = page.locator("#offers tbody tr")
    expect(offer).to_have_count(1)
    expect(offer).to_contain_text("5.00 USD")
    expect(offer).to_contain_text("4.00 USD")
    assert at_counter.overflow() == 0
    page.get_by_role("link", name="Week 20 GB").click()
    quote = page.locator("#quote")
    expect(quote).to_contain_text("Ivana Kos (ivana)")
    expect(quote).to_contain_text(f"your wallet then has {(before - 400) / 100:.2f} USD")
    expect(quote).to_contain_text("now")
    assert at_counter.overflow() == 0
    assert shop.wallet() == before
    page.get_by_role("button", name="Sell for 5.00 USD").dblclick()
    expect(page.locator("h1")).to_have_text("Sold: Week 20 GB")
    assert at_counter.overflow() == 0
    assert (len(sold(shop, "Ivana Kos")), shop.wallet()) == (1, before - 400)
    paper = page.get_by_role("link", name="Print the receipt").get_attribute("href")
    answer = page.request.get(f"{at_counter.base_url}{paper}")
    assert (answer.headers["content-type"], answer.body()[:4]) == ("application/pdf", b"%PDF")
    page.get_by_role("button", name="Undo this sale").click()
    expect(page.locator("h1")).to_have_text("Undone: Week 20 GB")
    expect(page.get_by_role("button", name="Undo this sale")).to_have_count(0)
    assert before - 5 <= shop.wallet() <= before


@pytest.mark.rule("R1")
def test_a_form_that_is_sent_twice_sells_once(
    at_counter: Visitor, shop: Shop, began: datetime
) -> None:
    number, before = buyer(shop, "Jonas Berg", began), shop.wallet()
    page = at_counter.open(f"/counter/{number}/{shop.plan_id}")
    addresses = set(page.evaluate(SENT_FIVE_TIMES))
    (sale_id,) = sold(shop, "Jonas Berg")
    assert addresses == {f"{at_counter.base_url}/counter/sales/{sale_id}"}
    assert shop.wallet() == before - 400
    # What it costs has changed since the page was shown: nothing is sold by the old one.
    at_counter.open(f"/counter/{number}/{shop.plan_id}")
    resellers.set_retail(shop.staff, shop.org_id, shop.plan_id, 6_000_000, began)
    send(page)
    expect(page.get_by_role("alert")).to_contain_text("has changed since you looked")
    expect(page.get_by_role("button", name="Sell for 6.00 USD")).to_be_visible()
    expect(page.locator("#quote")).to_contain_text("after what runs now")
    resellers.set_retail(shop.staff, shop.org_id, shop.plan_id, None, began)
    assert (len(sold(shop, "Jonas Berg")), shop.wallet()) == (1, before - 400)


@pytest.mark.rule("R1")
def test_a_new_subscriber_buys_with_the_keyboard_alone(at_counter: Visitor, shop: Shop) -> None:
    before = shop.wallet()
    page = at_counter.open("/counter")
    expect(page.locator("[data-search]")).to_be_focused()
    page.keyboard.type("Karla")
    page.keyboard.press("Enter")
    expect(page.locator("#rows")).to_contain_text("No subscriber of yours matches")
    page.get_by_role("link", name="New subscriber").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#name")).to_have_value("Karla")
    assert at_counter.overflow() == 0
    page.locator("#name").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#field-username")).to_contain_text("Must be filled in")
    page.locator("#username").focus()
    page.keyboard.type("karla")
    password = page.locator("#password").input_value()
    page.keyboard.press("Enter")
    expect(page.locator("#made")).to_contain_text(password)
    assert at_counter.overflow() == 0
    page.get_by_role("link", name="Week 20 GB").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sell for 5.00 USD").focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Sold: Week 20 GB")
    assert (len(sold(shop, "Karla")), shop.wallet()) == (1, before - 400)


@pytest.mark.rule("R1")
def test_what_is_missing_is_asked_for_and_given(
    at_counter: Visitor, shop: Shop, context: Context, began: datetime
) -> None:
    number, page = buyer(shop, "Lena Roth", began), at_counter.page
    left = shop.wallet()
    pulled = (left - 150) * 10_000
    reseller_money.transfer(context, shop.org_id, -pulled, idempotency_key="pull", now=began)
    at_counter.open(f"/counter/{number}")
    expect(page.locator("#offers")).to_contain_text("2.50 USD missing in your wallet")
    page.get_by_role("link", name="Week 20 GB").click()
    expect(page.get_by_role("alert")).to_contain_text("2.50 USD more is needed to pay 4.00 USD")
    expect(page.get_by_role("button", name="Sell for")).to_have_count(0)
    page.get_by_role("link", name="Ask for 2.50 USD").click()
    expect(page.locator("#amount_micros")).to_have_value("2.50")
    page.fill("#note", "paid in at the bank")
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("You asked for 2.50 USD")
    expect(page.locator("#requests")).to_contain_text("waits")
    assert at_counter.overflow() == 0
    (asked,) = [one for one in reseller_money.requests(shop.staff) if one.state == "pending"]
    # Not by who asks; by who is above, from the own wallet.
    refused = page.request.get(f"{at_counter.base_url}/resellers")
    assert f"/resellers/requests/{asked.request_id}" not in refused.text()
    page.get_by_role("button", name="Log out").click()
    at_counter.log_in(BOSS).wait_for_selector("#rows")
    at_counter.open("/resellers")
    assert at_counter.overflow() == 0
    page.get_by_role("link", name="Answer").click()
    expect(page.locator("#content")).to_contain_text("comes from the wallet of North Net")
    expect(page.locator("input[name=channel]")).to_have_count(0)
    assert at_counter.overflow() == 0
    send(page)
    expect(page.locator("#field-decision")).to_contain_text("Must be filled in")
    page.check("input[name=decision][value=approve]")
    send(page)
    expect(page.get_by_role("status")).to_have_text("2.50 USD went to Corner Shop.")
    assert shop.wallet() == 400
    expect(page.get_by_role("link", name="Answer")).to_have_count(0)
    reseller_money.transfer(context, shop.org_id, pulled, idempotency_key="back", now=began)


@pytest.mark.rule("R2")
def test_the_operator_answers_who_is_right_below(
    visitor: Visitor, owner: str, shop: Shop, context: Context, began: datetime
) -> None:
    north = replace(context, home_org_id=shop.parent_org_id, org_ids=(shop.parent_org_id,))
    reseller_money.ask(north, shop.parent_org_id, 7_000_000, began)
    before = resellers.show(context, shop.parent_org_id).available_micros
    enrolled(context, "support@isp.example", StaffRole.SUPPORT, began)
    page = visitor.page
    assert owner == OWNER
    visitor.log_in("support@isp.example").wait_for_selector("#rows")
    visitor.open("/resellers")
    expect(page.locator("#rows")).to_contain_text("Corner Shop")
    expect(page.locator("#requests")).to_contain_text("waits")
    assert page.request.get(f"{visitor.base_url}/counter").status == 403
    page.get_by_role("button", name="Log out").click()
    visitor.log_in(OWNER).wait_for_selector("#rows")
    visitor.open("/resellers")
    page.get_by_role("link", name="Answer").click()
    page.check("input[name=decision][value=decline]")
    page.fill("#words", "pay first")
    send(page)
    expect(page.get_by_role("status")).to_have_text("North Net was refused.")
    expect(page.locator("#requests")).to_contain_text("pay first")
    assert resellers.show(context, shop.parent_org_id).available_micros == before
    reseller_money.ask(north, shop.parent_org_id, 7_000_000, began)
    visitor.open("/resellers")
    page.get_by_role("link", name="Answer").click()
    page.check("input[name=decision][value=approve]")
    page.check("input[name=channel][value=bank_transfer]")
    send(page)
    expect(page.get_by_role("status")).to_have_text("7.00 USD went to North Net.")
    assert resellers.show(context, shop.parent_org_id).available_micros == before + 7_000_000


@pytest.mark.rule("R2")
def test_the_statement_says_what_the_wallet_did(
    at_counter: Visitor, shop: Shop, began: datetime
) -> None:
    number = buyer(shop, "Mira Sand", began)
    reseller_sales.sell(shop.staff, number, shop.plan_id, idempotency_key="one", now=began)
    page = at_counter.open("/counter")
    page.get_by_role("link", name="Statement").click()
    found = reseller_money.statement(shop.staff, shop.org_id, began.date())
    expect(page.locator("#sums")).to_contain_text(f"{shop.wallet() / 100:.2f} USD")
    expect(page.locator("#sums")).to_contain_text(f"{found.commission_micros / 10**6:.2f} USD")
    expect(page.locator("#earned tbody tr")).to_contain_text("Week 20 GB")
    assert at_counter.overflow() == 0
    papers = {
        what: page.request.get(
            at_counter.base_url
            + str(page.locator(f"#{what} .card-actions a").get_attribute("href"))
        ).text()
        for what in ("earned", "movements")
    }
    (line,) = csv.DictReader(papers["earned"].splitlines())
    assert line["commission"] == f"{found.commission_micros / 10**6:.2f}"
    balances = [one["balance"] for one in csv.DictReader(papers["movements"].splitlines())]
    assert (balances[0], balances[-1]) == ("0.00", f"{shop.wallet() / 100:.2f}")
    page.fill("#from", "2026-02-10")
    page.fill("#to", "2026-02-01")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#field-to")).to_contain_text("Must not lie before the first day")
    # A stranger's is not there.
    answer = page.request.get(f"{at_counter.base_url}/resellers/{shop.parent_org_id}/statement")
    assert answer.status == 404


@pytest.mark.rule("R3")
def test_vouchers_of_a_reseller_are_paid_from_its_wallet(
    at_counter: Visitor, shop: Shop, began: datetime
) -> None:
    wanted = NewBatch(
        name="corner cards",
        count=2,
        code=CodeFormat(length=12),
        profile_id=shop.profile_id,
        amount_micros=1_000_000,
    )
    batch = vouchers.make_batch(shop.staff, wanted, began)
    vouchers.hand_over(shop.staff, batch.batch_id, lambda _view, _codes: None, began)
    before, page = shop.wallet(), at_counter.open(f"/vouchers/batches/{batch.batch_id}")
    page.get_by_role("link", name="Sell", exact=True).last.click()
    expect(page.locator("#payer")).to_contain_text("The wallet of Corner Shop pays")
    expect(page.locator("input[name=pay_by], input[name=customer]")).to_have_count(0)
    assert at_counter.overflow() == 0
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("2 vouchers are sold for 2.00 USD")
    assert shop.wallet() == before - 200

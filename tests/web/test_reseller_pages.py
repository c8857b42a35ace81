"""Prices, limits and money of a reseller in the panel: by who is above it, and its retail prices by
itself; on a phone and at a desk (rules R1, R2, P6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pytest
from playwright.sync_api import Page, expect

from billing.model.commerce import MoneyChannel
from billing.model.staff import StaffRole
from billing.services import reseller_money, resellers
from billing.services.context import Context
from tests.web.conftest import OWNER, PHONE, Visitor
from tests.web.isp import Isp
from tests.web.people import enrolled

SIZES = {"phone": (PHONE["width"], PHONE["height"]), "desk": (1280, 800)}
SENT_FIVE_TIMES = """async () => {
    const form = document.querySelector("form[data-once]");
    const body = () => new URLSearchParams(new FormData(form));
    const sent = () => fetch(location.href, {method: "POST", body: body()});
    return (await Promise.all([1, 2, 3, 4, 5].map(sent))).map((answer) => answer.status);
}"""


@dataclass(frozen=True)
class Tree:
    """A reseller with 100.00 below the operator, and one below it with nothing."""

    above: int
    below: int
    boss_above: str
    boss_below: str


def _tree(context: Context, isp: Isp, began: datetime, name: str) -> Tree:
    found = []
    for parent in (1, 0):
        made = resellers.add(
            context,
            name=f"{name} {'above' if parent else 'below'}",
            parent_org_id=parent or found[0],
            profile_id=isp.profile_id,
            now=began,
        )
        found.append(made.org_id)
        enrolled(context, f"{parent}@{name}.example", StaffRole.RESELLER, began, org_id=made.org_id)
    resellers.set_cost(context, found[0], isp.plan_id, 3_000_000, began)
    reseller_money.transfer(
        context, found[0], 100_000_000, idempotency_key="f", now=began, channel=MoneyChannel.CASH
    )
    return Tree(*found, f"1@{name}.example", f"0@{name}.example")


def _wallet(context: Context, org_id: int) -> int:
    return resellers.show(context, org_id).available_micros // 10_000


def _send(page: Page) -> None:
    page.locator(".panel-form .panel-buttons button[type=submit]").click()


def _log_in(visitor: Visitor, email: str) -> Page:
    page = visitor.page
    if page.get_by_role("button", name="Log out").count():
        page.get_by_role("button", name="Log out").click()
    visitor.log_in(email).wait_for_selector("#rows")
    return page


@pytest.mark.rule("R1", "R2")
@pytest.mark.parametrize("size", SIZES)
def test_who_is_above_sets_the_cost_and_the_reseller_its_price(
    visitor: Visitor, context: Context, isp: Isp, began: datetime, size: str
) -> None:
    tree = _tree(context, isp, began, f"price-{size}")
    width, height = SIZES[size]
    visitor.page.set_viewport_size({"width": width, "height": height})
    page = _log_in(visitor, tree.boss_above)
    visitor.open(f"/resellers/{tree.below}")
    assert visitor.overflow() == 0
    page.get_by_role("link", name="Add a plan").click()
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    expect(page.locator("#rows")).to_contain_text("3.00 USD")
    assert visitor.overflow() == 0
    page.get_by_role("link", name="Week 20 GB").click()
    page.fill("#cost", "2.00")
    _send(page)
    expect(page.locator("#field-cost")).to_contain_text("less than the 3.00 USD")
    page.fill("#cost", "4.00")
    assert visitor.overflow() == 0
    _send(page)
    expect(page.get_by_role("status").first).to_contain_text("pays 4.00 USD for Week 20 GB")
    expect(page.locator("#prices tbody")).to_contain_text("1.00 USD")
    # Its own list is the operator's to set; its own price is not.
    for path in (f"/resellers/{tree.above}/prices", f"/resellers/{tree.above}/money",
                 f"/resellers/{tree.above}/limits"):  # fmt: skip
        assert page.request.get(visitor.base_url + path).status == 403, path
    _log_in(visitor, tree.boss_below)
    visitor.open(f"/resellers/{tree.below}")
    expect(page.get_by_role("link", name="Move money")).to_have_count(0)
    page.get_by_role("link", name="Week 20 GB").click()
    expect(page.locator("#cost")).to_have_count(0)
    page.fill("#retail", "3.99")
    _send(page)
    expect(page.locator("#field-retail")).to_contain_text("less than its cost")
    page.fill("#retail", "6.50")
    _send(page)
    expect(page.locator("#prices tbody")).to_contain_text("6.50 USD")
    expect(page.locator("#prices tbody")).to_contain_text("2.50 USD")
    assert visitor.overflow() == 0
    # What a form forges is not read; what is not its own is not there.
    line = resellers.price_list(context, tree.below, began)[0]
    address = f"{visitor.base_url}/resellers/{tree.below}/prices/{isp.plan_id}"
    token = page.request.get(address).text().split('name="csrf_token"')[1].split('value="')[1]
    page.request.post(
        address,
        form={"csrf_token": token.split('"')[0], "cost": "0.01", "retail": "6.50"},
        headers={"Referer": address},
    )
    assert resellers.price_list(context, tree.below, began)[0] == line
    assert page.request.get(f"{visitor.base_url}/resellers/{tree.above}").status == 404
    assert [text for text in visitor.complaints if "422" not in text] == []


@pytest.mark.rule("R2", "P6")
@pytest.mark.parametrize("size", SIZES)
def test_money_goes_down_and_back_with_its_reason_once(
    visitor: Visitor, context: Context, isp: Isp, began: datetime, size: str
) -> None:
    tree = _tree(context, isp, began, f"money-{size}")
    width, height = SIZES[size]
    visitor.page.set_viewport_size({"width": width, "height": height})
    page = _log_in(visitor, tree.boss_above)
    visitor.open(f"/resellers/{tree.below}")
    page.get_by_role("link", name="Move money").click()
    expect(page.locator("input[name=channel]")).to_have_count(0)
    page.fill("#amount_micros", "500")
    _send(page)
    expect(page.locator("#field-reference")).to_contain_text("Must be filled in")
    page.fill("#reference", "paid at the door")
    _send(page)
    expect(page.locator("#field-amount_micros")).to_contain_text("400.00 USD less than")
    page.fill("#amount_micros", "40")
    _send(page)
    expect(page.locator("#quote")).to_contain_text("Its wallet then has 40.00 USD")
    assert visitor.overflow() == 0
    assert _wallet(context, tree.below) == 0
    assert page.evaluate(SENT_FIVE_TIMES) == [200] * 5
    assert (_wallet(context, tree.below), _wallet(context, tree.above)) == (40_00, 60_00)
    visitor.open(f"/resellers/{tree.below}/money")
    page.check("input[name=direction][value=back]")
    page.fill("#amount_micros", "35")
    page.fill("#reference", "too much")
    _send(page)
    expect(page.locator("#quote")).to_contain_text("back to the wallet of")
    _send(page)
    expect(page.locator("#transfers tbody tr")).to_have_count(2)
    expect(page.locator("#transfers")).to_contain_text("too much")
    expect(page.locator("#transfers")).to_contain_text("−35.00 USD")
    assert visitor.overflow() == 0
    assert (_wallet(context, tree.below), _wallet(context, tree.above)) == (5_00, 95_00)
    # 5.00 is less than 20 % of 40.00: it is told at the counter, asks, and gets an answer.
    expect(page.locator(".panel-head")).to_contain_text("low")
    page.get_by_role("link", name="Limits").click()
    page.fill("#alert_percent", "100")
    _send(page)
    expect(page.locator("#field-alert_percent")).to_contain_text("1 to 99")
    page.fill("#alert_percent", "15")
    for field, most in (("customers", "7"), ("nas", "2"), ("plans", "1")):
        page.fill(f"#max_{field}", most)
    assert visitor.overflow() == 0
    _send(page)
    expect(page.locator(".panel-head")).to_contain_text("at most 2 NAS · at most 1 plan on")
    shop = resellers.show(context, tree.below)
    assert (shop.max_customers, shop.max_nas, shop.max_plans) == (7, 2, 1)
    _log_in(visitor, tree.boss_below)
    visitor.open("/counter")
    expect(page.locator("#low")).to_contain_text("Less than 6.00 USD is left")
    page.locator("#low a").click()
    expect(page.locator("#transfers")).to_contain_text("paid at the door")
    assert visitor.overflow() == 0
    assert [text for text in visitor.complaints if "422" not in text] == []


@pytest.mark.rule("R2")
def test_the_operator_says_by_which_channel(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    tree, page = _tree(context, isp, began, "channel"), at_desk.page
    at_desk.open(f"/resellers/{tree.above}/money")
    page.check("input[name=channel][value=bank_transfer]")
    page.fill("#amount_micros", "12.50")
    page.fill("#reference", "slip 17")
    _send(page)
    _send(page)
    expect(page.locator("#transfers tbody tr").first).to_contain_text("Bank transfer")
    expect(page.locator("#transfers tbody tr").first).to_contain_text(OWNER)
    assert _wallet(context, tree.above) == 112_50

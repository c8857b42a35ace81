"""A collector takes cash with a phone, by the next number of the book; the desk counts what is
handed over, on a phone and at a desk (rule R4)."""

from __future__ import annotations

from datetime import datetime

import pytest
from playwright.sync_api import Page, expect

from billing.model.staff import StaffRole
from billing.services import collections, customers
from billing.services.context import Context
from tests.web.conftest import OWNER, PHONE, Visitor
from tests.web.isp import Isp
from tests.web.people import enrolled

SIZES = {"phone": (PHONE["width"], PHONE["height"]), "desk": (1280, 800)}


def _send(page: Page) -> None:
    page.locator(".panel-form button[type=submit]").first.click()


@pytest.mark.rule("R4")
@pytest.mark.parametrize("size", SIZES)
def test_from_the_street_to_the_desk(
    visitor: Visitor, context: Context, isp: Isp, owner: str, began: datetime, size: str
) -> None:
    walker, page = f"walker-{size}@isp.example", visitor.page
    enrolled(context, walker, StaffRole.COLLECTOR, began)
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    # The desk gives out a book.
    visitor.log_in(OWNER).wait_for_selector("#rows")
    visitor.open("/collectors")
    assert visitor.overflow() == 0
    page.fill("#collector", walker)
    page.fill("#series", size)
    page.fill("#first", "9")
    page.fill("#last", "8")
    page.get_by_role("button", name="Give it").click()
    expect(page.locator("#field-first")).to_contain_text("last not below the first")
    page.fill("#last", "20")
    page.get_by_role("button", name="Give it").click()
    expect(page.locator("#books")).to_contain_text(walker)
    page.get_by_role("button", name="Log out").click()
    # In the field.
    visitor.log_in(walker).wait_for_selector("#rows")
    expect(page.locator(".panel-nav a")).to_have_text(["Collect"])
    page.fill("input[type=search]", "greta")
    page.keyboard.press("Enter")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    assert visitor.overflow() == 0
    page.get_by_role("link", name="Greta Lind").click()
    expect(page.locator("#number")).to_have_value("9")
    assert visitor.overflow() == 0
    _send(page)
    expect(page.locator("#field-amount_micros")).to_contain_text("Must be filled in")
    page.fill("#number", "21")
    page.fill("#amount_micros", "2.50")
    _send(page)
    expect(page.locator("#field-number")).to_contain_text("Must be 9 to 20")
    page.fill("#number", "9")
    page.select_option("#bill", index=1)
    page.locator(".panel-form button[type=submit]").dblclick()
    expect(page.locator("h1")).to_have_text(f"Receipt {size.upper()}9")
    expect(page.locator("#receipt")).to_contain_text("2.50 USD")
    assert visitor.overflow() == 0
    paper = page.get_by_role("link", name="Print").get_attribute("href")
    assert page.request.get(f"{visitor.base_url}{paper}").body()[:4] == b"%PDF"
    # The same number for somebody else is not taken.
    visitor.open(f"/collect/{customers.find_customer(context, 'Hugo Martin').customer_id}")
    page.fill("#number", "9")
    page.fill("#amount_micros", "2.50")
    _send(page)
    expect(page.locator("#field-number")).to_contain_text("2.50 USD of Greta Lind")
    page.fill("#number", "10")
    page.fill("#amount_micros", "4")
    _send(page)
    expect(page.locator("h1")).to_contain_text("10")
    visitor.open("/collect")
    expect(page.locator("#sum")).to_contain_text("6.50 USD")
    for path in ("/customers", f"/customers/{isp.customer_id}", "/payments", "/collectors",
                 "/shifts", "/plans", "/staff"):  # fmt: skip
        assert page.request.get(visitor.base_url + path).status == 403, path
    page.get_by_role("button", name="Log out").click()
    # Handed over: counted first.
    visitor.log_in(OWNER).wait_for_selector("#rows")
    visitor.open("/collectors")
    row = page.locator("#report tr", has_text=walker)
    expect(row).to_contain_text("counted first")
    expect(row).not_to_contain_text("6.50")
    row.get_by_role("link", name="Hand over").click()
    expect(page.locator("#waiting")).to_contain_text(f"{size.upper()}9, {size.upper()}10")
    assert "6.50" not in page.content()
    assert visitor.overflow() == 0
    page.fill("#counted_micros", "6.00")
    page.fill("#note", "lost a coin")
    _send(page)
    expect(page.get_by_role("status")).to_contain_text("0.50 USD less than they say")
    row = page.locator("#settlements tr", has_text=walker)
    expect(row).to_contain_text("lost a coin")
    assert visitor.overflow() == 0
    assert collections.open_receipts(context, walker) == []
    assert [text for text in visitor.complaints if "422" not in text] == []


@pytest.mark.rule("R4")
@pytest.mark.parametrize("size", SIZES)
def test_how_much_cash_a_collector_may_hold(
    visitor: Visitor, context: Context, isp: Isp, owner: str, began: datetime, size: str
) -> None:
    walker, page = f"holder-{size}@isp.example", visitor.page
    enrolled(context, walker, StaffRole.COLLECTOR, began)
    book = collections.open_book(context, walker, series=f"H{size}", first=1, last=20, now=began)
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    visitor.log_in(OWNER).wait_for_selector("#rows")
    visitor.open("/collectors")
    page.fill("#holder", walker)
    page.fill("#limit_micros", "0")
    page.get_by_role("button", name="Set it").click()
    expect(page.locator("#field-limit_micros")).to_contain_text("more than zero")
    page.fill("#limit_micros", "6.50")
    assert visitor.overflow() == 0
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_role("status")).to_contain_text("may hold 6.50 USD at most")
    expect(page.locator("#limits tbody")).to_contain_text("6.50 USD")
    assert visitor.overflow() == 0
    page.get_by_role("button", name="Log out").click()
    visitor.log_in(walker).wait_for_selector("#rows")
    expect(page.locator("#limit")).to_contain_text("You may hold 6.50 USD at most")
    visitor.open(f"/collect/{isp.customer_id}")
    page.fill("#amount_micros", "6.51")
    _send(page)
    expect(page.locator("#field-amount_micros")).to_contain_text("may hold 6.50 USD in cash")
    assert visitor.overflow() == 0
    page.fill("#amount_micros", "6.50")
    _send(page)
    expect(page.locator("#receipt")).to_contain_text("6.50 USD")
    (held,) = collections.open_receipts(context, walker)
    assert (held.book_id, held.number, held.amount_micros) == (book.book_id, 1, 6_500_000)
    assert [text for text in visitor.complaints if "422" not in text] == []

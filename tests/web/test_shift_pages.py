"""The cashier's day, in a real browser on a phone: float, money with a receipt, a blind count,
handing over; and what everybody took on the day (rules P1, R4)."""

from __future__ import annotations

import csv
from datetime import datetime

import pytest
from playwright.sync_api import Page, expect

from billing.model.staff import StaffRole
from billing.services import customers, shifts, takings
from billing.services.context import Context
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import Isp
from tests.web.people import enrolled

ANN, BOB = "ann@isp.example", "bob@isp.example"


@pytest.fixture(scope="module")
def staff(context: Context, isp: Isp, began: datetime) -> None:
    for email in (ANN, BOB):
        enrolled(context, email, StaffRole.BILLING, began)


@pytest.fixture
def phone(visitor: Visitor, staff: None) -> Visitor:
    visitor.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    return visitor


def send(page: Page) -> None:
    page.locator(".panel-form button[type=submit]").first.click()


@pytest.mark.rule("R4")
def test_a_shift_from_its_float_to_the_bank(
    phone: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    customer_id = customers.add_customer(
        context, name="Rita Sanz", profile_id=isp.profile_id, now=began
    ).customer_id
    page = phone.log_in(ANN)
    page.wait_for_selector("#rows")
    phone.open("/shifts")
    assert phone.overflow() == 0
    send(page)
    expect(page.locator("#field-float_micros")).to_contain_text("Must be filled in")
    for amount, words in (("-1.00", "Must be 0 or more"), ("1.001", "Finer than")):
        page.fill("#float_micros", amount)
        send(page)
        expect(page.locator("#field-float_micros")).to_contain_text(words)
    page.fill("#float_micros", "50.00")
    send(page)
    expect(page.locator("h1")).to_contain_text("open")
    expect(page.locator("#content")).not_to_contain_text("Should be there")
    assert phone.overflow() == 0
    shift_id = int(page.url.rpartition("/")[2])
    # Money is taken, with a receipt to print.
    phone.open(f"/customers/{customer_id}/pay")
    page.fill("#amount_micros", "12.00")
    send(page)
    paper = page.get_by_role("link", name="print it").get_attribute("href")
    answer = page.request.get(f"{phone.base_url}{paper}")
    assert (answer.headers["content-type"], answer.body()[:4]) == ("application/pdf", b"%PDF")
    # What is to be counted is not told before.
    phone.open("/payments/day")
    expect(page.locator("#blind")).to_be_visible()
    expect(page.locator("#rows")).not_to_contain_text(ANN)
    phone.open("/shifts")
    expect(page.locator("#own")).to_be_visible()
    expect(page.locator("#float_micros")).to_have_count(0)
    page.get_by_role("link", name="Count and close it").click()
    send(page)
    expect(page.locator("#field-counted_micros")).to_contain_text("Must be filled in")
    page.fill("#counted_micros", "61.00")
    page.fill("#note", "a coin fell behind the desk")
    send(page)
    expect(page.get_by_role("status").first).to_have_text(
        "Counted: 1.00 USD less than should be there."
    )
    report = page.locator("#report")
    for words in ("62.00 USD", "61.00 USD", "−1.00 USD", "a coin fell"):
        expect(report).to_contain_text(words)
    assert phone.overflow() == 0
    page.fill("#to", "Head office")
    page.get_by_role("button", name="Hand it over").click()
    expect(report).to_contain_text("Head office")
    page.fill("#reference", "slip 17")
    page.get_by_role("button", name="It was paid in").click()
    expect(report).to_contain_text("slip 17")
    expect(page.locator("form.panel-form")).to_have_count(0)
    assert shifts.show(context, shift_id).handed_to == "Head office"
    phone.open("/payments/day")
    expect(page.locator("#blind")).to_have_count(0)
    expect(page.locator("#rows")).to_contain_text(ANN)
    assert phone.overflow() == 0
    today = takings.today(context, began)
    table = page.request.get(f"{phone.base_url}/payments/day.csv?day={today}")
    assert "attachment" in table.headers["content-disposition"]
    rows = list(csv.DictReader(table.text().splitlines()))
    (own,) = [row for row in rows if row["who"] == ANN]
    assert (own["channel"], own["taken"], own["left"]) == ("cash", "12.00", "12.00")
    phone.open("/payments/day?day=tomorrow")
    expect(page.get_by_role("status").first).to_contain_text("Not a day")
    assert [text for text in phone.complaints if "422" not in text] == []


@pytest.mark.rule("R4")
def test_a_shift_is_closed_by_its_cashier_or_an_owner(
    at_desk: Visitor, context: Context, staff: None, began: datetime
) -> None:
    page = at_desk.page
    page.get_by_role("button", name="Log out").click()
    at_desk.log_in(BOB).wait_for_selector("#rows")
    at_desk.open("/shifts")
    page.fill("#float_micros", "10.00")
    page.locator(".panel-form button[type=submit]").dblclick()
    expect(page.locator("h1")).to_contain_text(BOB)
    address = page.url
    (open_now,) = [one for one in shifts.listed(context) if one.closed_at is None]
    page.get_by_role("button", name="Log out").click()
    at_desk.log_in(ANN).wait_for_selector("#rows")
    page.goto(address)
    expect(page.get_by_role("button", name="Close the shift")).to_have_count(0)
    token = page.locator("input[name=csrf_token]").first.input_value()
    answer = page.request.post(
        f"{address}/close",
        form={"csrf_token": token, "counted_micros": "10.00"},
        headers={"Referer": address},
    )
    assert answer.status == 403
    assert shifts.show(context, open_now.shift_id).closed_at is None
    shifts.close(context, open_now.shift_id, 10_000_000, began)

"""Finding a subscriber, and reading why the service is as it is."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.web.conftest import Visitor
from tests.web.isp import Isp


def test_search_as_you_type_finds_and_shows_what_is_left(at_desk: Visitor) -> None:
    page = at_desk.page
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(8)
    page.keyboard.type("Amina")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("amina")
    expect(rows).to_contain_text("Active")
    expect(rows.get_by_label("Data left")).to_be_visible()
    expect(rows).to_contain_text("16 GB")
    assert page.url.endswith("?q=Amina")
    page.fill("[data-search]", "nobody at all")
    expect(rows).to_contain_text("No subscriber matches nobody at all")
    assert at_desk.complaints == []


def test_slash_reaches_the_search_and_a_row_opens(at_desk: Visitor, isp: Isp) -> None:
    page = at_desk.open("/")
    page.locator("h1").click()
    page.keyboard.press("/")
    page.keyboard.type("greta")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.locator("#rows tr td").nth(2).click()
    expect(page.locator("h1")).to_contain_text("greta-home")
    assert page.url.endswith(f"/subscribers/{isp.overdue_id}")


def test_what_a_search_box_sends_is_text_not_markup(at_desk: Visitor) -> None:
    page = at_desk.page
    page.keyboard.type("<img src=x onerror=alert(1)>%_'")
    expect(page.locator("#rows")).to_contain_text("No subscriber matches <img")
    assert at_desk.complaints == []


def test_a_running_subscriber_shows_packages_sessions_and_usage(at_desk: Visitor, isp: Isp) -> None:
    page = at_desk.open(f"/subscribers/{isp.running_id}")
    expect(page.locator("#left")).to_contain_text("Week 20 GB")
    expect(page.locator("#left progress")).to_have_count(2)
    expect(page.locator("#sessions tbody tr")).to_have_count(3)
    expect(page.locator("#sessions")).to_contain_text("online")
    expect(page.locator("#sessions")).to_contain_text("tower-north")
    expect(page.locator("#usage canvas")).to_be_visible()
    expect(page.locator("#bills")).to_contain_text("None")
    assert at_desk.complaints == []


@pytest.mark.rule("B3")
@pytest.mark.rule("B16")
def test_an_expired_package_is_named_as_the_reason(at_desk: Visitor, isp: Isp) -> None:
    page = at_desk.open(f"/subscribers/{isp.expired_id}")
    expect(page.locator("h1")).to_contain_text("Refused")
    expect(page.locator("#why .panel-decides")).to_contain_text("S7")


@pytest.mark.rule("B10")
@pytest.mark.rule("B16")
def test_an_overdue_bill_is_shown_with_the_suspension(at_desk: Visitor, isp: Isp) -> None:
    page = at_desk.open(f"/subscribers/{isp.overdue_id}")
    expect(page.locator("h1")).to_contain_text("Suspended")
    expect(page.locator("#why .panel-decides")).to_contain_text("S5")
    expect(page.locator("#bills")).to_contain_text("30.00 USD")


def test_an_unknown_subscriber_is_a_plain_page(at_desk: Visitor) -> None:
    page = at_desk.open("/subscribers/999999")
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()

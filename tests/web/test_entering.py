"""Enrolment by link, login, and what a wrong password gets (security.md 3, 4, 5, 8)."""

from __future__ import annotations

import time
from datetime import datetime

from passlib.totp import TOTP
from playwright.sync_api import BrowserContext, expect

from billing.model.staff import StaffRole
from billing.services import staff
from billing.services.context import Context
from tests.web.conftest import Visitor
from tests.web.people import PASSWORD


def test_a_link_sets_the_password_logs_in_and_works_once(
    visitor: Visitor, context: Context, began: datetime
) -> None:
    token = staff.enrol(context, "New.Person@ISP.example", [StaffRole.SUPPORT], began)
    page = visitor.open(f"/enrol/{token}")
    expect(page.get_by_text("for new.person@isp.example")).to_be_visible()
    for weak, reason in (
        ("tooshort", "12 characters or more"),
        ("password1234", "common password"),
        ("aaaaaaaaaaaaaa", "repeats too few"),
    ):
        page.fill("#password", weak)
        page.fill("#again", weak)
        page.click("button[type=submit]")
        expect(page.get_by_role("alert")).to_contain_text(reason)
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("button[type=submit]")
    page.click("text=Show the QR code")
    expect(page.locator("#qrcode")).to_be_visible()
    key = page.inner_text("#totp-key").replace("-", "")
    page.fill("#code", "000000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Invalid code")
    used = _code(key)
    page.fill("#code", used)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Subscribers")).to_be_visible()
    assert visitor.complaints == []
    visitor.open(f"/enrol/{token}")
    expect(page.get_by_text("used already or has expired")).to_be_visible()
    visitor.open("/")
    page.click("text=Log out")
    visitor.log_in("new.person@isp.example")
    page.fill("#code", used)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Invalid code")
    page.fill("#code", _code(key, steps_ahead=1))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Subscribers")).to_be_visible()


def _code(key: str, steps_ahead: int = 0) -> str:
    """What an authenticator app shows now, or one step on (its clock may run ahead)."""
    return str(TOTP(key=key).generate(time.time() + 30 * steps_ahead).token)


def test_wrong_password_and_unknown_person_read_the_same(visitor: Visitor, owner: str) -> None:
    page = visitor.log_in(owner, "not the password")
    expect(page.get_by_role("alert")).to_have_text("Wrong email address or password")
    page = visitor.log_in("stranger@isp.example", "not the password")
    expect(page.get_by_role("alert")).to_have_text("Wrong email address or password")


def test_login_brings_back_to_the_page_that_was_asked_for(visitor: Visitor, owner: str) -> None:
    page = visitor.open("/plans")
    page.fill("#email", owner.upper())
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Plans")).to_be_visible()


def test_login_never_leads_to_another_site(visitor: Visitor, owner: str) -> None:
    page = visitor.open("/login?next=https://elsewhere.example/")
    page.fill("#email", owner)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_load_state()
    assert page.url.startswith(visitor.base_url)


def test_logout_ends_the_session_on_the_server(
    visitor: Visitor, owner: str, browsing: BrowserContext
) -> None:
    visitor.log_in(owner).wait_for_selector("#rows")
    cookies = browsing.cookies()
    visitor.page.click("text=Log out")
    expect(visitor.page.get_by_role("heading", name="Log in")).to_be_visible()
    browsing.clear_cookies()
    browsing.add_cookies([{**cookie, "expires": -1} for cookie in cookies])
    visitor.open("/")
    expect(visitor.page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_search_after_the_session_ended_leads_to_the_login_page(
    visitor: Visitor, owner: str, browsing: BrowserContext
) -> None:
    visitor.log_in(owner).wait_for_selector("#rows")
    browsing.clear_cookies()
    visitor.page.type("[data-search]", "amina")
    expect(visitor.page.get_by_role("heading", name="Log in")).to_be_visible()

"""A reseller's owner sets its brand, and its customers see it; nobody else does (rules R1, R2)."""

from __future__ import annotations

import re
import struct
import threading
import zlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from billing.documents.checks import logo_address
from billing.jobs import mailer
from billing.model.staff import StaffRole
from billing.services import brands, customers, designs, resellers, senders, staff
from billing.services.context import Context
from billing.services.customers import NewCustomer, NewSubscription
from billing.store import tables
from tests.integration.mail_server import MailServer
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import Isp
from tests.web.people import enrolled

SIZES = {"phone": (PHONE["width"], PHONE["height"]), "desk": (1280, 800)}
PASSWORD = "river stone 12"
CONTACT = "Call +1 555 0100 & ask\nMon to Fri"
BORDER = "border-top-color", "rgb(170, 34, 17)"


def _png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\x00" + b"\xc0\x20\x20" * 8 for _ in range(8)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _send(page: Page) -> None:
    page.locator(".panel-form .panel-buttons button[type=submit]").click()


@dataclass(frozen=True)
class Shop:
    """A reseller with a brand, and a customer of it."""

    org_id: int
    name: str
    key: str
    username: str
    boss: str


def _shop(context: Context, isp: Isp, began: datetime, name: str) -> Shop:
    shop = resellers.add(context, name=name, parent_org_id=1, profile_id=isp.profile_id, now=began)
    boss = f"boss@{name.casefold().replace(' ', '-')}.example"
    enrolled(context, boss, StaffRole.RESELLER, began, org_id=shop.org_id)
    username = f"nina-{shop.org_id}"
    customers.add_subscriber(
        replace(context, home_org_id=shop.org_id),
        NewCustomer(
            name="Nina",
            profile_id=customers.get_customer(context, shop.account_customer_id).profile_id,
        ),
        NewSubscription(username=username, password=PASSWORD),
        began,
    )
    logo = logo_address(_png())
    contact = CONTACT.splitlines()
    made = brands.save(context, shop.org_id, began, accent="#aa2211", logo=logo, contact=contact)
    assert made.key is not None
    return Shop(shop.org_id, name, made.key, username, boss)


def _log_in(page: Page, username: str) -> None:
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    page.locator("button[type=submit]").click()
    expect(page.locator("#balance")).to_be_visible()


@pytest.mark.rule("R1", "I3")
@pytest.mark.parametrize("size", SIZES)
def test_customers_see_the_brand_of_their_reseller(
    visitor: Visitor,
    context: Context,
    isp: Isp,
    began: datetime,
    tmp_path: Path,
    size: str,
) -> None:
    name, page = f"Brand {size}", visitor.page
    shop = resellers.add(context, name=name, parent_org_id=1, profile_id=isp.profile_id, now=began)
    enrolled(context, f"boss@{size}.example", StaffRole.RESELLER, began, org_id=shop.org_id)
    profile_id = customers.get_customer(context, shop.account_customer_id).profile_id
    customers.add_subscriber(
        replace(context, home_org_id=shop.org_id),
        NewCustomer(name="Nina", profile_id=profile_id),
        NewSubscription(username=f"nina-{size}", password=PASSWORD),
        began,
    )
    page.set_viewport_size({"width": SIZES[size][0], "height": SIZES[size][1]})
    visitor.log_in(f"boss@{size}.example").wait_for_selector("#rows")
    visitor.open("/counter")
    page.get_by_role("link", name="Your brand").click()
    expect(page.locator("#login-link")).to_be_visible()
    assert visitor.overflow() == 0
    picture, text = tmp_path / "logo.png", tmp_path / "logo.txt"
    picture.write_bytes(_png())
    text.write_text("no picture")
    page.set_input_files("#logo", text)
    _send(page)
    expect(page.locator("#field-logo")).to_contain_text("Neither a PNG nor a JPEG")
    page.fill("#contact", "{{ bill.number }}")
    _send(page)
    expect(page.locator("#field-contact")).to_contain_text("without braces")
    page.fill("#accent", "#aa2211")
    page.fill("#contact", "Call +1 555 0100 & ask\n\nMon to Fri")
    page.set_input_files("input[type=file]", picture)
    _send(page)
    expect(page.get_by_role("status")).to_contain_text("see this from now on")
    assert visitor.overflow() == 0
    page.get_by_role("button", name="Log out").click()
    # Its customer sees it, on paper too.
    visitor.open("/my/login")
    page.fill("#username", f"nina-{size}")
    page.fill("#password", PASSWORD)
    page.locator("button[type=submit]").click()
    expect(page.locator(".my-name")).to_contain_text(name)
    expect(page.locator("#contact")).to_have_text(CONTACT, use_inner_text=True)
    expect(page.locator(".my-logo")).to_have_js_property("naturalWidth", 8)
    expect(page.locator(".my-top")).to_have_css(*BORDER)
    assert visitor.overflow() == 0
    design = designs.design_of(context, shop.org_id)
    assert (design.accent, design.footer) == ("#aa2211", "Call +1 555 0100 &amp; ask\nMon to Fri")
    # The operator's are as they were.
    own = brands.of(context, 1)
    assert (own.logo, own.contact, own.accent) == (None, None, None)
    assert [text for text in visitor.complaints if "422" not in text] == []


@pytest.mark.rule("R1")
@pytest.mark.parametrize("size", SIZES)
def test_the_login_page_shows_the_brand_that_its_link_names(
    visitor: Visitor, context: Context, isp: Isp, began: datetime, size: str
) -> None:
    shop, page = _shop(context, isp, began, f"Door {size}"), visitor.page
    page.set_viewport_size({"width": SIZES[size][0], "height": SIZES[size][1]})
    for unknown in ("", "?brand=", f"?brand={'0' * 32}", f"?brand={shop.org_id}", "?brand=%00"):
        visitor.open(f"/my/login{unknown}")
        expect(page.locator(".panel-brand")).to_have_text("Test ISP")
        expect(page.locator("#contact")).to_have_count(0)
    visitor.open(f"/my/login?brand={shop.key}")
    expect(page).to_have_title(f"Log in · {shop.name}")
    expect(page.locator(".panel-brand")).to_have_text(shop.name)
    expect(page.locator(".my-logo")).to_have_js_property("naturalWidth", 8)
    expect(page.locator(".my-card")).to_have_css(*BORDER)
    expect(page.locator("#contact")).to_have_text(CONTACT, use_inner_text=True)
    assert visitor.overflow() == 0
    # What was typed wrong is answered with the same brand.
    page.fill("#username", shop.username)
    page.fill("#password", "something else")
    page.locator("button[type=submit]").click()
    expect(page.locator(".panel-error, .alert").first).to_contain_text("Wrong user name")
    expect(page.locator(".panel-brand")).to_have_text(shop.name)
    _log_in(page, shop.username)
    # The browser keeps it: after logging out, for a page that asks to log in, and for one that is
    # not there.
    page.get_by_role("button", name="Log out").click()
    expect(page.locator(".panel-brand")).to_have_text(shop.name)
    visitor.open("/my/bills")
    expect(page.locator(".panel-brand")).to_have_text(shop.name)
    visitor.open("/my/nowhere")
    expect(page.locator("h1")).to_have_text("Not found")
    expect(page.locator(".panel-brand")).to_have_text(shop.name)
    assert visitor.overflow() == 0
    assert [text for text in visitor.complaints if not re.search("422|404", text)] == []


@pytest.mark.rule("R1", "R2")
def test_a_link_shows_a_brand_and_decides_nothing(
    visitor: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    shop, other = (_shop(context, isp, began, f"Link {number}") for number in (1, 2))
    page = visitor.page
    visitor.open(f"/my/bills?brand={shop.key}")
    expect(page.locator(".panel-brand")).to_have_text(shop.name)
    page.fill("#username", other.username)
    page.fill("#password", PASSWORD)
    page.locator("button[type=submit]").click()
    expect(page.locator("h1")).to_have_text("Bills")
    expect(page.locator(".my-name")).to_contain_text(other.name)
    visitor.open(f"/my/?brand={shop.key}")
    expect(page.locator(".my-name")).to_contain_text(other.name)
    page.get_by_role("button", name="Log out").click()
    expect(page.locator(".panel-brand")).to_have_text(other.name)
    # Of one that is closed nothing is shown to who is not its customer.
    with context.transaction() as tx:
        tx.get_one(tables.Organisation, other.org_id).closed_at = began
    visitor.open("/my/login")
    expect(page.locator(".panel-brand")).to_have_text("Test ISP")
    assert visitor.complaints == []


@pytest.mark.rule("R1")
def test_the_link_to_choose_a_password_shows_whose_staff_it_is(
    visitor: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    shop, page = _shop(context, isp, began, "Till"), visitor.page
    roles = {shop.org_id: StaffRole.SHOP_CASHIER, 1: StaffRole.SUPPORT}
    for org_id, role in roles.items():
        token = staff.enrol(context, f"new@{org_id}.example", [role], began, org_id=org_id)
        visitor.open(f"/enrol/{token}")
        shown = shop.name if org_id != 1 else "Tollway"
        expect(page.locator(".panel-brand")).to_have_text(shown)
        expect(page.locator(".my-card")).to_have_count(int(org_id != 1))
        assert visitor.overflow() == 0
    visitor.open("/enrol/nothing")
    expect(page.locator(".panel-brand")).to_have_text("Tollway")
    assert [text for text in visitor.complaints if "404" not in text] == []


@pytest.mark.rule("R1", "I3")
@pytest.mark.parametrize("size", SIZES)
def test_an_owner_says_whom_its_mails_come_from(
    visitor: Visitor, context: Context, isp: Isp, began: datetime, size: str
) -> None:
    shop, page = _shop(context, isp, began, f"Post {size}"), visitor.page
    page.set_viewport_size({"width": SIZES[size][0], "height": SIZES[size][1]})
    visitor.log_in(shop.boss).wait_for_selector("#rows")
    visitor.open("/brand")
    expect(page.locator("#login-link")).to_have_value(
        f"{visitor.base_url}/my/login?brand={shop.key}"
    )
    page.get_by_role("link", name="Mails", exact=True).click()
    expect(page.locator("#sender")).to_contain_text("your operator's address")
    assert visitor.overflow() == 0
    page.fill("#name", "boss@bank.example")
    page.fill("#address", "shop")
    _send(page)
    expect(page.locator("#field-name")).to_contain_text("without @, quotes")
    page.fill("#name", "Corner shop")
    _send(page)
    expect(page.locator("#field-address")).to_contain_text("is not an email address")
    page.fill("#address", f"bills@{size}.example")
    _send(page)
    expect(page.get_by_role("status")).to_contain_text(f"on its way to bills@{size}.example")
    expect(page.locator("#sender")).to_contain_text("your operator's address")
    assert visitor.overflow() == 0
    page.fill("#code", "12345678")
    page.get_by_role("button", name="That is the code").click()
    expect(page.locator("#field-code")).to_contain_text("This is not the code")
    assert visitor.overflow() == 0
    page.get_by_role("button", name="Send another one").click()
    expect(page.get_by_role("status")).to_contain_text("A code is on its way")
    page.fill("#code", _mailed(context, f"bills@{size}.example", began))
    page.get_by_role("button", name="That is the code").click()
    expect(page.locator("#sender")).to_contain_text(f"bills@{size}.example")
    expect(page.locator("#code")).to_have_count(0)
    page.fill("#address", "")
    _send(page)
    expect(page.locator("#sender")).to_contain_text("your operator's address")
    assert senders.of(context, shop.org_id, began).name == "Corner shop"
    assert [text for text in visitor.complaints if "422" not in text] == []


def _mailed(context: Context, address: str, began: datetime) -> str:
    """The code in the newest mail to an address, which goes over SMTP."""
    server = MailServer()
    server.start()
    try:
        later = began + timedelta(minutes=10)
        while mailer.tick(
            context, server.channel, "bills@net.example", threading.Event(), lambda: later
        ):
            pass
    finally:
        server.stop()
    found = re.search(r"Code (\d{8}) for", server.to(address)[-1]["Subject"])
    assert found is not None
    return found[1]

"""A reseller's owner sets its brand, and its customers see it; nobody else does (rules R1, R2)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from billing.model.staff import StaffRole
from billing.services import brands, customers, designs, resellers
from billing.services.context import Context
from billing.services.customers import NewCustomer, NewSubscription
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import Isp
from tests.web.people import enrolled

SIZES = {"phone": (PHONE["width"], PHONE["height"]), "desk": (1280, 800)}
PASSWORD = "river stone 12"


def _png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\x00" + b"\xc0\x20\x20" * 8 for _ in range(8)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _send(page: Page) -> None:
    page.locator(".panel-form .panel-buttons button[type=submit]").click()


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
    page.fill("#contact", "Call +1 555 0100 & ask")
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
    expect(page.locator("#contact")).to_have_text("Call +1 555 0100 & ask")
    expect(page.locator(".my-logo")).to_have_js_property("naturalWidth", 8)
    expect(page.locator(".my-top")).to_have_css("border-top-color", "rgb(170, 34, 17)")
    assert visitor.overflow() == 0
    design = designs.design_of(context, shop.org_id)
    assert (design.accent, design.footer) == ("#aa2211", "Call +1 555 0100 &amp; ask")
    # The operator's are as they were.
    own = brands.of(context, 1)
    assert (own.logo, own.contact, own.accent) == (None, None, None)
    assert [text for text in visitor.complaints if "422" not in text] == []

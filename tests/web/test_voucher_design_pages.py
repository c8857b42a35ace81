"""The designer of voucher cards: what is typed is shown at once, and kept only on demand (R3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from billing.documents.sample import BATCH, CODES
from billing.documents.voucher_cards import sheets
from billing.model.designs import CardBlock, CardDesign
from billing.services import voucher_designs
from billing.services.context import Context
from tests.documents.paper import text_of
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import Isp

pytestmark = pytest.mark.rule("R3")


@pytest.fixture(autouse=True)
def plain(context: Context, began: datetime) -> Iterator[None]:
    """Each test begins with the built-in design."""
    voucher_designs.reset(context, 1, began)
    yield
    voucher_designs.reset(context, 1, began)


def test_what_is_typed_is_shown_at_once(at_desk: Visitor, context: Context, isp: Isp) -> None:
    page = at_desk.open("/vouchers")
    page.get_by_role("link", name="How cards look").click()
    preview = page.frame_locator("iframe[name=preview]")
    expect(preview.locator(".code").first).to_have_text("ABCD-EFGH-JKLM")
    expect(preview.locator(".qr")).to_have_count(4)
    page.fill("#text", "Log in at hotspot.example")
    expect(preview.locator(".text").first).to_have_text("Log in at hotspot.example")
    page.uncheck("#on_qr")
    expect(preview.locator(".qr")).to_have_count(0)
    page.uncheck("#on_worth")
    expect(preview.locator("body")).not_to_contain_text("5.00")
    page.fill("#width_mm", "90")
    page.fill("#css", ".code { color: rgb(1, 2, 3) }")
    expect(preview.locator(".code").first).to_have_css("color", "rgb(1, 2, 3)")
    wide = preview.locator(".card").first.bounding_box()
    assert wide is not None and abs(wide["width"] - 90 * 96 / 25.4) < 2
    # The code is always there.
    expect(preview.locator(".code").first).to_be_visible()
    assert voucher_designs.design_of(context, 1) == CardDesign()
    page.set_viewport_size(PHONE)
    assert at_desk.overflow() == 0
    assert at_desk.complaints == []


def test_a_design_is_kept_and_cards_are_set_by_it(
    at_desk: Visitor, context: Context, isp: Isp, tmp_path: Path
) -> None:
    page = at_desk.open("/vouchers/design")
    logo = tmp_path / "logo.png"
    Image.new("RGB", (40, 20), "green").save(logo)
    page.set_input_files("#logo", logo)
    page.fill("#accent", "#00aa00")
    page.fill("#text", "call 1234")
    page.uncheck("#on_expiry")
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("status").first).to_contain_text("look like this")
    kept = voucher_designs.design_of(context, 1)
    assert (kept.accent, kept.text, kept.css) == ("#00aa00", "call 1234", None)
    assert CardBlock.EXPIRY not in kept.blocks and kept.logo is not None
    paper = text_of(sheets(BATCH, CODES, kept))
    assert "call 1234" in paper and "until" not in paper and "ABCD-EFGH-JKLM" in paper
    page.get_by_role("button", name="As it was at first").click()
    expect(page.get_by_role("status").first).to_contain_text("as they did at first")
    assert voucher_designs.design_of(context, 1) == CardDesign()


def test_what_cannot_be_says_why_and_keeps_nothing(
    at_desk: Visitor, context: Context, isp: Isp, tmp_path: Path
) -> None:
    page = at_desk.open("/vouchers/design")
    page.fill("#width_mm", "300")
    page.fill("#css", "@import 'x.css'; .a { background: url(http://evil.example/) }")
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#field-width_mm")).to_contain_text("40 to 190 mm")
    expect(page.locator("#field-css")).to_contain_text("Line 1")
    page.fill("#css", ".a { background: url(http://evil.example/) }")
    page.fill("#width_mm", "60")
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#field-css")).to_contain_text("documents open no address")
    other = tmp_path / "logo.gif"
    other.write_bytes(b"GIF89a")
    page.fill("#css", "")
    page.set_input_files("#logo", other)
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#field-logo")).to_contain_text("Neither a PNG nor a JPEG")
    assert voucher_designs.design_of(context, 1) == CardDesign()

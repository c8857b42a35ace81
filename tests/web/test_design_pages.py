"""The designer of bills: what is typed is shown with a real bill, and kept only on demand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from billing.model.designs import Block, InvoiceDesign
from billing.services import designs
from billing.services.context import Context
from tests.documents.paper import text_of
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import Isp


@pytest.fixture(autouse=True)
def plain(context: Context, began: datetime) -> Iterator[None]:
    """Each test begins with the built-in design."""
    designs.reset(context, 1, began)
    yield
    designs.reset(context, 1, began)


@pytest.mark.rule("I3")
def test_what_is_typed_is_shown_at_once_with_a_real_bill(
    at_desk: Visitor, context: Context, isp: Isp
) -> None:
    page = at_desk.open("/billing")
    page.get_by_role("link", name="How bills look").click()
    preview = page.frame_locator("iframe[name=preview]")
    expect(preview.locator("body")).to_contain_text("Greta Lind")
    page.fill("#footer", "IBAN ES12, quote {{ bill.number }}")
    page.fill("#css", ".footer { color: rgb(1, 2, 3) }")
    expect(preview.locator(".footer")).to_have_text(re.compile("IBAN ES12, quote INV-"))
    expect(preview.locator(".footer")).to_have_css("color", "rgb(1, 2, 3)")
    page.uncheck("#on_due")
    expect(preview.locator("body")).not_to_contain_text("Please pay")
    page.fill("#place_totals", "0")
    expect(preview.locator("body > *").first).to_have_class("totals")
    assert designs.design_of(context, 1) == InvoiceDesign()
    page.set_viewport_size(PHONE)
    assert at_desk.overflow() == 0
    assert at_desk.complaints == []


@pytest.mark.rule("I3")
def test_a_design_is_kept_and_bills_are_set_by_it(
    at_desk: Visitor, context: Context, isp: Isp, tmp_path: Path
) -> None:
    page = at_desk.open("/design")
    logo = tmp_path / "logo.png"
    Image.new("RGB", (40, 20), "green").save(logo)
    page.set_input_files("#logo", logo)
    page.fill("#accent", "#00aa00")
    page.fill("#footer", "two\nlines")
    page.uncheck("#on_letterhead")
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("status").first).to_contain_text("look like this")
    kept = designs.design_of(context, 1)
    assert (kept.accent, kept.footer, kept.css) == ("#00aa00", "two\nlines", None)
    assert kept.blocks == tuple(Block)[1:]
    assert kept.logo is not None and kept.logo.startswith("data:image/png;base64,")
    page.check("#no_logo")
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#no_logo")).to_have_count(0)
    assert designs.design_of(context, 1).logo is None
    page.get_by_role("button", name="As it was at first").click()
    expect(page.get_by_role("status").first).to_contain_text("as they did at first")
    assert designs.design_of(context, 1) == InvoiceDesign()


def test_a_preview_that_is_due_does_not_take_the_place_of_what_is_kept(
    at_desk: Visitor, context: Context, isp: Isp
) -> None:
    page = at_desk.open("/design")
    page.fill("#footer", "typed last")
    # Sent before the page is whole: the first preview is due while the form has not gone yet.
    page.evaluate(
        """() => {
          const form = document.querySelector("form[data-preview]");
          form.requestSubmit(form.querySelector("button.btn-primary"));
          window.dispatchEvent(new Event("load"));
        }"""
    )
    expect(page.get_by_role("status").first).to_contain_text("look like this")
    assert designs.design_of(context, 1).footer == "typed last"


@pytest.mark.rule("I3")
def test_what_does_not_parse_is_refused_at_its_field(
    at_desk: Visitor, context: Context, isp: Isp
) -> None:
    page = at_desk.open("/design")
    page.fill("#template", "<p>\n{{ bill.number }")
    page.fill("#css", "p { background: url(http://127.0.0.1/x) }")
    preview = page.frame_locator("iframe[name=preview]")
    expect(preview.locator("body")).to_contain_text("line 2: unexpected '}'")
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#field-template .panel-error")).to_have_text("Line 2: unexpected '}'")
    expect(page.locator("#field-css .panel-error")).to_contain_text("open no address")
    expect(page.locator("#template")).to_have_value("<p>\n{{ bill.number }")
    assert designs.design_of(context, 1) == InvoiceDesign()


def test_a_preview_is_a_document_in_which_nothing_runs(at_desk: Visitor, isp: Isp) -> None:
    page = at_desk.open("/design")
    token = page.locator("input[name=csrf_token]").first.get_attribute("value") or ""
    form = {"csrf_token": token, "accent": "#206bc4"}
    form |= {f"on_{block}": "y" for block in Block}
    form |= {f"place_{block}": str(place) for place, block in enumerate(Block)}
    wicked = "<script>parent.document.title = 'run'</script><img src='http://127.0.0.1:1/x'>"
    post = page.request.post
    answer = post(f"{at_desk.base_url}/design/preview", form=form | {"template": wicked})
    assert answer.status == 200 and "<script>" in answer.text()
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy and "script-src" not in policy
    assert "frame-ancestors 'self'" in policy and "img-src data:" in policy
    page.fill("#template", wicked)
    expect(page.frame_locator("iframe[name=preview]").locator("script")).to_have_count(1)
    assert page.title() != "run"
    paper = post(f"{at_desk.base_url}/design/pdf", form=form | {"footer": "on paper", "size": "a4"})
    assert paper.status == 200 and "on paper" in text_of(paper.body())
    assert post(f"{at_desk.base_url}/design/pdf", form=form | {"size": "a3"}).status == 400
    assert post(f"{at_desk.base_url}/design/pdf", form={"accent": "#206bc4"}).status == 400

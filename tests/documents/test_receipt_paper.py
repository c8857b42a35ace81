"""Receipts of sales and top-ups as PDF: their text is read back, both papers are held against
pictures (rules I6, I3)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from billing.documents.html import receipt_to_html
from billing.documents.pdf import to_pdf
from billing.model.documents import Paper
from billing.model.receipts import Receipt, ReceiptKind
from tests.documents.paper import SALE, TOP_UP, pages_of, picture_of, text_of

GOLDEN = Path(__file__).parent / "golden"
DIFFERENT_PIXELS = 0.002
NAMES = {Paper.A4: "paid_a4", Paper.RECEIPT: "paid_receipt"}


def made(receipt: Receipt, paper: Paper) -> bytes:
    return to_pdf(receipt_to_html(receipt, paper), paper)


@pytest.mark.rule("I6")
@pytest.mark.parametrize("paper", Paper)
def test_a_sale_says_whose_what_how_much_and_its_tax(paper: Paper) -> None:
    octets = made(SALE, paper)
    assert len(pages_of(octets)) == 1
    text = " ".join(text_of(octets).split())
    for words in (
        "Tower Net", "Tax number ESB12345678", "Greta Lind", "Receipt RC-12", "10 Mar 2026", "42",
        "Day 10 GB", "Tax 21 % of 10.00", "2.10", "Total EUR", "12.10", "bank transfer", "T-99",
    ):  # fmt: skip
        assert words in text


@pytest.mark.rule("I6")
@pytest.mark.parametrize("paper", Paper)
def test_a_top_up_shows_no_tax_and_says_why(paper: Paper) -> None:
    text = " ".join(text_of(made(TOP_UP, paper)).split())
    assert "Credit to the wallet" in text and "PayPal" in text
    assert "No tax is due on it yet" in text and "Tax 0" not in text
    bill = replace(TOP_UP, kind=ReceiptKind.BILL)
    assert "The tax is on the bill." in " ".join(text_of(made(bill, paper)).split())


@pytest.mark.parametrize("paper", Paper)
def test_what_people_write_stays_text(paper: Paper) -> None:
    receipt = replace(SALE, reference="<script>{{ 7 * 7 }}</script>", rounding_micros=5_000)
    text = text_of(made(receipt, paper))
    assert "{{ 7 * 7 }}" in text and "Rounding" in text


@pytest.mark.rule("I3")
@pytest.mark.parametrize("paper", Paper)
def test_a_receipt_looks_like_its_picture(paper: Paper, tmp_path: Path) -> None:
    """After a wanted change of a template: `cp` the picture that is named over the golden one."""
    name = NAMES[paper]
    seen = picture_of(made(SALE, paper), tmp_path, name)
    with Image.open(seen) as page, Image.open(GOLDEN / f"{name}.png") as golden:
        assert page.size == golden.size, seen
        changed = ImageChops.difference(page.convert("L"), golden.convert("L"))
        share = ImageStat.Stat(changed.point(lambda shade: 255 if shade > 64 else 0)).mean[0] / 255
    assert share <= DIFFERENT_PIXELS, f"{share:.2%} of the pixels differ: {seen}"

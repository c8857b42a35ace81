"""Bills as PDF: their text is read back, a page is held against a picture (rules I3, I4)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from billing.documents.html import to_html
from billing.documents.press import set_page as to_pdf
from billing.model.designs import Block, InvoiceDesign
from billing.model.documents import BillDocument, Paper, Party
from tests.documents.paper import (
    BILL,
    CREDIT,
    PAID,
    PARTLY,
    looks_like,
    pages_of,
    picture_of,
    text_of,
    with_lines,
)


def made(bill: BillDocument, paper: Paper = Paper.A4) -> bytes:
    return to_pdf(to_html(bill, paper), paper)


@pytest.mark.rule("I3")
def test_what_a_bill_must_say_is_read_back() -> None:
    text = text_of(made(BILL))
    for words in (
        "Tower Net", "1 Tower Road", "Tax number ESB12345678", "Greta Lind", "Hill Street 4",
        "Invoice INV-7", "10 Mar 2026 – 9 Apr 2026", "Home 50", "1 234.50", "21 %", "259.25",
        "Total EUR", "1 493.75", "Please pay 1 493.75 EUR until 1 Apr 2026, quoting INV-7.",
        "Page 1 of 1",
    ):  # fmt: skip
        assert words in text


@pytest.mark.rule("I4")
def test_a_part_that_was_paid_is_told_and_what_is_open() -> None:
    text = text_of(made(PARTLY))
    assert "Paid on 20 Mar 2026" in text and "−493.75" in text
    assert "Please pay 1 000.00 EUR until 1 Apr 2026" in text
    text = text_of(made(PAID))
    assert "Nothing is open" in text and "Please pay" not in text


@pytest.mark.rule("I6")
def test_a_receipt_is_one_strip_as_long_as_its_text(tmp_path: Path) -> None:
    sizes = []
    for bill in (PAID, with_lines(*(f"service {n}" for n in range(40)))):
        octets = made(bill, Paper.RECEIPT)
        assert len(pages_of(octets)) == 1
        with Image.open(picture_of(octets, tmp_path)) as picture:
            sizes.append(picture.size)
    assert sizes[0][0] == sizes[1][0] == 227  # 80 mm at 72 dpi
    assert sizes[0][1] < 400 < sizes[1][1]
    text = text_of(made(PAID, Paper.RECEIPT))
    assert "Bill INV-7 of 10 Mar 2026" in text and "1 493.75" in text and "Thank you" in text
    assert "Open until 1 Apr 2026" in text_of(made(PARTLY, Paper.RECEIPT))


def test_many_lines_break_over_pages_under_repeated_heads() -> None:
    pages = pages_of(made(with_lines(*(f"service {n:03d}." for n in range(200)))))
    assert len(pages) > 4
    text = "".join(pages)
    assert all(text.count(f"service {n:03d}.") == 1 for n in range(200))
    for page in pages:
        assert ("Description" in page) is ("service " in page)
    assert f"Page {len(pages)} of {len(pages)}" in pages[-1]


def test_long_words_wrap_within_the_page() -> None:
    word = "".join(f"{n:03d}x" for n in range(120))
    text = text_of(made(with_lines(word)))
    flat = "".join(text.split())
    assert "000x001x" in flat and "119x" in flat
    assert max(len(line.strip()) for line in text.splitlines()) < 130


@pytest.mark.parametrize(
    "name", ["Ελένη Παππά", "Иван Петров", "Nguyễn Văn Ánh", "अनिल शर्मा", "สมชาย ใจดี"]
)
def test_names_of_other_scripts_show(name: str) -> None:
    bill = replace(BILL, buyer=Party(name=name))
    assert "".join(name.split())[:3] in "".join(text_of(made(bill)).split())


def test_right_to_left_names_show_whole(tmp_path: Path) -> None:
    bill = replace(BILL, buyer=Party(name="محمد עברית", address_lines=("شارع النيل 5",)))
    text = text_of(made(bill))
    assert "محمد" in text and "עברית" in text and "النيل" in text
    assert b"NotDef" not in made(bill)


def test_the_same_bill_gives_the_same_octets() -> None:
    for paper in Paper:
        assert made(PARTLY, paper) == made(PARTLY, paper)


@pytest.mark.rule("I2")
@pytest.mark.parametrize("paper", list(Paper))
def test_a_credit_note_says_what_it_takes_back_of_which_bill(paper: Paper) -> None:
    text = text_of(made(CREDIT, paper))
    for words in (
        "Credit note", "CN-3", "INV-7", "25 Mar 2026", "Part of INV-7", "40.00", "100.00",
        "Tax 7.5 %", "3.00", "Tax 21 %", "21.00", "Credited EUR", "164.00", "Greta Lind",
        "three days without service", "64.00 EUR of it",
    ):  # fmt: skip
        assert words in text, words
    for words in ("Invoice CN", "Payable", "Please pay", "Thank you", "Open", "Nothing is open"):
        assert words not in text, words
    unpaid = text_of(made(replace(CREDIT, to_wallet_micros=0), paper))
    assert "on your account" not in unpaid


@pytest.mark.rule("I3")
def test_a_credit_note_is_set_by_the_design_but_not_by_its_template() -> None:
    design = InvoiceDesign(
        footer="Quote {{ bill.number }}.",
        template="<h1>Bill {{ bill.number }}</h1>",
        blocks=(Block.HEADING, Block.LINES, Block.TOTALS, Block.FOOTER),
    )
    text = text_of(to_pdf(to_html(CREDIT, Paper.A4, design)))
    assert "Credit note CN-3" in text and "Quote CN-3." in text and "Bill CN-3" not in text
    assert "Tower Net" not in text and "three days" not in text


@pytest.mark.rule("I3")
@pytest.mark.parametrize(
    ("name", "bill", "paper"),
    [
        ("invoice", PARTLY, Paper.A4),
        ("receipt", PARTLY, Paper.RECEIPT),
        ("credit_note", CREDIT, Paper.A4),
        ("credit_receipt", CREDIT, Paper.RECEIPT),
    ],
)
def test_a_page_looks_like_its_picture(
    name: str, bill: BillDocument, paper: Paper, tmp_path: Path
) -> None:
    looks_like(made(bill, paper), name, tmp_path)

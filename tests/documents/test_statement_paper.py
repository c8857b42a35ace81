"""Statements of account as PDF: read back, and held against a picture (rule I3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from billing.documents.html import statement_to_html
from billing.documents.pdf import statement_to_pdf
from billing.model.designs import InvoiceDesign
from billing.model.statements import Account, OpenBill, Statement, StatementLine
from tests.documents.paper import BILL, looks_like, text_of


def line(day: int, text: str, amount_micros: int, balance_micros: int) -> StatementLine:
    return StatementLine(
        on=date(2026, 3, day), text=text, amount_micros=amount_micros, balance_micros=balance_micros
    )


OWED = Statement(
    org_id=1,
    customer_id=42,
    seller=BILL.seller,
    buyer=BILL.buyer,
    currency="EUR",
    account=Account(
        first_day=date(2026, 3, 1),
        last_day=date(2026, 3, 31),
        opening_micros=-1_000_000,
        lines=(
            line(3, "Bill INV-7", -1_493_750_000, -1_494_750_000),
            line(10, "Payment, bank transfer", 493_750_000, -1_001_000_000),
            line(20, "Usage of 2026-03-19", -1_234_500, -1_002_234_500),
        ),
        closing_micros=-1_002_234_500,
    ),
    open_bills=(
        OpenBill(
            number="INV-7",
            issued_on=date(2026, 3, 3),
            due_on=date(2026, 4, 1),
            total_micros=1_493_750_000,
            open_micros=1_000_000_000,
        ),
    ),
)


@pytest.mark.rule("I3")
def test_what_a_statement_says_is_read_back(tmp_path: Path) -> None:
    octets = statement_to_pdf(OWED)
    text = text_of(octets)
    for words in (
        "Statement of account", "1 Mar 2026 – 31 Mar 2026", "Greta Lind", "Tower Net",
        "Balance before", "−1.00", "Bill INV-7", "1 493.75", "Payment, bank transfer", "493.75",
        "Usage of 2026-03-19", "1.2345", "Balance after", "1 494.9845", "−1 002.2345",
        "You owe 1 002.2345 EUR.", "Open bill", "1 Apr 2026", "1 000.00",
    ):  # fmt: skip
        assert words in text, words
    looks_like(octets, "statement", tmp_path)


def test_who_owes_whom_is_said_in_words() -> None:
    for closing_micros, words in ((5_000_000, "You have a credit of"), (0, "Nothing is owed.")):
        account = replace(OWED.account, closing_micros=closing_micros)
        text = statement_to_html(replace(OWED, account=account, open_bills=()))
        assert words in text and "You owe" not in text and "Open bill" not in text


def test_names_are_text_and_the_design_is_the_operators() -> None:
    buyer = replace(OWED.buyer, name="<img src=x> & Co")
    design = InvoiceDesign(
        accent="#aa0000",
        footer="{{ bill.number }}",
        template="{{ bill.number }}",
        css=".due { color: green }",
    )
    html = statement_to_html(replace(OWED, buyer=buyer), design)
    assert "<img src=x>" not in html and "--accent: #aa0000" in html and "color: green" in html
    assert "Statement of account" in text_of(statement_to_pdf(OWED, design))

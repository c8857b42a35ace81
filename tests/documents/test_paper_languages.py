"""Papers in another language than English: read back, and held against a picture (rule I3)."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from billing.documents.html import receipt_to_html, to_html
from billing.documents.pdf import statement_to_pdf, to_pdf
from billing.model.designs import InvoiceDesign
from billing.model.documents import BillDocument, DocumentLine, Paper
from billing.model.receipts import Receipt
from tests.documents.paper import BILL, CREDIT, PAID, PARTLY, SALE, TOP_UP, looks_like, text_of
from tests.documents.test_statement_paper import OWED

GRETA = replace(BILL.buyer, language="es-MX", tax_id="RFC1")
HOME = "Home 50, 2026-03-10 to 2026-04-10"
LINES = (DocumentLine(text=HOME, net_micros=1_234_500_000, tax_rate_ppm=75_000),)
MOVED = replace(CREDIT, reason="changed to Max: 3 of 31 days")
Paperwork = TypeVar("Paperwork", BillDocument, Receipt)
ENGLISH = re.compile(
    r"\b(Invoice|Bill|Receipt|Issued|Payable|Customer|Description|Tax|Net|Total of|Open|Paid|"
    r"Statement|Balance|Movement|Charged|Credited|Thank|Please|until|to|of|on|by|is)\b"
)


def spanish(document: Paperwork) -> Paperwork:
    return replace(document, buyer=GRETA)


def read(octets: bytes) -> str:
    """Without the seller's own name, which is English."""
    return text_of(octets).replace("Tower Net", "").replace("Tower Road", "")


@pytest.mark.rule("I3")
def test_an_invoice_is_in_the_language_of_its_buyer(tmp_path: Path) -> None:
    bill = replace(spanish(PARTLY), lines=LINES)
    octets = to_pdf(to_html(bill))
    text = read(octets)
    for words in (
        "Factura INV-7", "NIF RFC1", "Fecha", "10 mar 2026", "Pagadera hasta", "1 abr 2026",
        "Home 50, del 10 mar 2026 al 10 abr 2026", "1 234,50", "7,5 %", "Base imponible",
        "Pagado el 20 mar 2026", "Pendiente", "Pague 1 000,00 EUR hasta el 1 abr 2026",
    ):  # fmt: skip
        assert words in text, words
    assert not ENGLISH.findall(text), text
    assert '<html lang="es">' in to_html(bill)
    looks_like(octets, "invoice_es", tmp_path)


@pytest.mark.rule("I3")
@pytest.mark.parametrize("paper", list(Paper))
@pytest.mark.parametrize("bill", [BILL, PAID, MOVED])
def test_no_english_word_is_left_on_a_bill(bill: BillDocument, paper: Paper) -> None:
    text = read(to_pdf(to_html(spanish(bill), paper), paper))
    assert not ENGLISH.findall(text), text
    assert ("Factura" in text) or ("crédito" in text) or ("Recibo" in text)


@pytest.mark.rule("I3", "I6")
@pytest.mark.parametrize("paper", list(Paper))
@pytest.mark.parametrize("receipt", [SALE, TOP_UP])
def test_no_english_word_is_left_on_a_receipt(receipt: Receipt, paper: Paper) -> None:
    made = replace(
        spanish(receipt), lines=tuple(replace(one, text="Bono 10 GB") for one in receipt.lines)
    )
    text = read(to_pdf(receipt_to_html(made, paper), paper))
    assert not ENGLISH.findall(text), text
    assert "Recibo RC-12" in text
    assert "12,10" in text
    assert ("transferencia bancaria" in text) or ("PayPal" in text)


@pytest.mark.rule("I3")
def test_a_statement_is_in_the_language_of_its_customer() -> None:
    text = read(statement_to_pdf(replace(OWED, buyer=GRETA)))
    for words in (
        "Extracto de cuenta", "Saldo anterior", "Factura INV-7", "Pago, transferencia bancaria",
        "Consumo del 19 mar 2026", "Debe 1 002,2345 EUR.", "Factura pendiente",
    ):  # fmt: skip
        assert words in text, words
    assert not ENGLISH.findall(text), text


@pytest.mark.rule("I3")
def test_an_own_template_writes_amounts_and_days_in_the_language_too() -> None:
    design = InvoiceDesign(
        template='{{ "Total" | said }} {{ bill.total_micros | amount(bill.currency) }},'
        " {{ bill.due_on | day }}, {{ bill.buyer.name | said }}"
    )
    bill = replace(spanish(BILL), buyer=replace(GRETA, name="<b>Open</b>"))
    assert "Total 1\u202f493,75, 1 abr 2026, &lt;b&gt;Open&lt;/b&gt;" in to_html(
        bill, design=design
    )


def test_who_speaks_what_the_product_does_not_gets_english() -> None:
    bill = replace(BILL, buyer=replace(BILL.buyer, language="fr"))
    assert to_html(bill) == to_html(BILL)

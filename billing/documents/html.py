"""Bills, credit notes and statements as pages of HTML, by sandboxed templates that escape
everything, in the language of who gets them (rule I3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Template

from billing.documents.environment import sandbox
from billing.languages import FALLBACK, said, spoken
from billing.model.designs import Block, CardDesign, InvoiceDesign
from billing.model.documents import BillDocument, CreditDocument, Paper
from billing.model.receipts import Receipt
from billing.model.statements import Statement
from billing.model.vouchers import BatchView

PLAIN = InvoiceDesign()
PLAIN_CARDS = CardDesign()
_NAMES = {Paper.A4: "invoice", Paper.RECEIPT: "receipt"}
_TITLES = {Paper.A4: "Invoice", Paper.RECEIPT: "Receipt of"}
_FOLDER = files("billing.documents") / "templates"


def to_html(
    document: BillDocument, paper: Paper = Paper.A4, design: InvoiceDesign = PLAIN
) -> str:  # fmt: skip
    """A whole page, its style sheet included. A design that was checked before raises nothing.
    A template of the operator's own is for bills: a credit note is made of the blocks."""
    name = _NAMES[paper]
    credit = isinstance(document, CreditDocument)
    own = design.css if paper is Paper.A4 else None
    language = spoken(document.buyer.language)
    return _template(name, language).render(
        bill=document,
        language=language,
        credit=credit,
        title=said("Credit note" if credit else _TITLES[paper], language),
        css=_style(_text(f"{name}.css"), design.accent, own, language),
        logo=design.logo,
        blocks=[block.value for block in design.blocks],
        footer=_written(design.footer, document) if Block.FOOTER in design.blocks else None,
        body=_written(design.template, document) if paper is Paper.A4 and not credit else None,
    )


def statement_to_html(statement: Statement, design: InvoiceDesign = PLAIN) -> str:
    """A statement of account on A4, in the design's colour, with its logo and its style sheet. A
    footer and a template speak of a bill, which it is not."""
    built_in = _text("invoice.css") + _text("statement.css")
    language = spoken(statement.buyer.language)
    return _template("statement", language).render(
        language=language,
        statement=statement,
        account=statement.account,
        css=_style(built_in, design.accent, design.css, language),
        logo=design.logo,
    )


def cards_to_html(
    batch: BatchView, cards: Sequence[object], design: CardDesign = PLAIN_CARDS
) -> str:
    """Sheets of voucher cards, by a design that was checked."""
    size = f".card {{ width: {design.width_mm}mm; height: {design.height_mm}mm }}"
    colour = f":root {{ --paper: {design.paper} }}"
    return _template("cards").render(
        batch=batch,
        cards=cards,
        css=_style(f"{_text('cards.css')}\n{colour}\n{size}", design.accent, design.css),
        logo=design.logo,
        text=design.text,
        blocks=[block.value for block in design.blocks],
    )


def _style(built_in: str, accent: str, own: str | None, language: str = FALLBACK) -> str:
    """A style sheet cannot end its element: there is no `<` in it."""
    counters = {"page": '" counter(page) "', "pages": '" counter(pages) "'}
    pages = said("Page {page} of {pages}", language, counters)
    sheet = (
        f"{built_in.replace('{page_of_pages}', pages)}\n:root {{ --accent: {accent} }}\n{own or ''}"
    )
    return sheet.replace("<", r"\3c ")


def _written(text: str | None, document: BillDocument) -> str | None:
    """What an operator wrote, with the bill's values escaped in it."""
    if text is None:
        return None
    return sandbox(spoken(document.buyer.language)).from_string(text).render(bill=document)


@cache
def _template(name: str, language: str = FALLBACK) -> Template:
    return sandbox(language).from_string(_text(f"{name}.html"))


@cache
def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def receipt_to_html(
    receipt: Receipt, paper: Paper = Paper.RECEIPT, design: InvoiceDesign = PLAIN
) -> str:  # fmt: skip
    """The receipt of a sale or a payment as a whole page, in the design's colour and with its logo;
    its other parts are written for bills."""
    name = _NAMES[paper]
    language = spoken(receipt.buyer.language)
    own = design.css if paper is Paper.A4 else None
    return _template(f"paid_{name}", language).render(
        receipt=receipt,
        language=language,
        css=_style(_text(f"{name}.css"), design.accent, own, language),
        logo=design.logo,
    )

"""Sheets of voucher cards, each with its code as QR (rule R3)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from qrcode.constants import ERROR_CORRECT_M
from qrcode.main import QRCode

from billing.documents.html import PLAIN_CARDS, cards_to_html
from billing.documents.pdf import to_pdf
from billing.documents.press import picture, set_page
from billing.documents.sample import BATCH, CODES
from billing.errors import InvalidInput, Refused
from billing.model.designs import CardDesign
from billing.model.vouchers import BatchView, Code, serial_text

CARDS_MOST = 2_000
_QUIET_MODULES = 4  # ISO/IEC 18004, the border that readers need


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is printed of one voucher; `path` draws its QR code in a square of `side` modules."""

    serial: str
    code: str
    password: str
    path: str
    side: int


def cards(codes: Sequence[Code]) -> list[Card]:
    """The QR code holds the code alone, as it is typed."""
    return [_card(one) for one in codes]


def sheets(batch: BatchView, codes: Sequence[Code], design: CardDesign = PLAIN_CARDS) -> bytes:
    """A4 sheets as PDF, by a design. Raises Refused (more than CARDS_MOST; the style sheet),
    Unavailable."""
    if len(codes) > CARDS_MOST:
        raise Refused(
            f"at most {CARDS_MOST} cards in one PDF; export them as CSV for a printing house",
            field="count",
        )
    html = cards_to_html(batch, cards(codes), design)
    return set_page(html) if design.css is None else to_pdf(html)


def as_csv(codes: Sequence[Code]) -> str:
    """The codes for a printing house: `serial,code,password`, a voucher a line."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(("serial", "code", "password"))
    writer.writerows((serial_text(one.serial), one.code, one.password) for one in codes)
    return out.getvalue()


def _card(one: Code) -> Card:
    made = QRCode(error_correction=ERROR_CORRECT_M, border=_QUIET_MODULES)
    made.add_data(one.code)
    made.make(fit=True)
    matrix = made.get_matrix()
    path = "".join(
        f"M{x} {y}h1v1h-1z" for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark
    )
    return Card(
        serial=serial_text(one.serial),
        code="-".join(one.code[at : at + 4] for at in range(0, len(one.code), 4)),
        password=one.password,
        path=path,
        side=len(matrix),
    )


def try_cards(design: CardDesign) -> None:
    """Set cards of nobody by it. Raises InvalidInput when they cannot be set."""
    try:
        if design.logo is not None:
            picture(design.logo)
    except Refused as error:
        raise InvalidInput(error.message, field="logo") from None
    try:
        to_pdf(cards_to_html(BATCH, cards(CODES), design))
    except Refused as error:
        raise InvalidInput(error.message, field="css") from None

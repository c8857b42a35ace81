"""Bills for the tests of documents, and what is read back from their PDF."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from billing.model.documents import (
    BillDocument,
    DocumentLine,
    DocumentPayment,
    Party,
    TaxTotal,
)
from billing.model.receipts import Receipt, ReceiptKind

VAT = 210_000
BILL = BillDocument(
    org_id=1,
    number="INV-7",
    issued_on=date(2026, 3, 10),
    due_on=date(2026, 4, 1),
    first_day=date(2026, 3, 10),
    last_day=date(2026, 4, 9),
    seller=Party(
        name="Tower Net", address_lines=("1 Tower Road", "08001 Barcelona"), tax_id="ESB12345678"
    ),
    buyer=Party(name="Greta Lind", address_lines=("Hill Street 4", "08002 Barcelona")),
    customer_id=42,
    currency="EUR",
    lines=(DocumentLine(text="Home 50", net_micros=1_234_500_000, tax_rate_ppm=VAT),),
    tax_totals=(
        TaxTotal(tax_rate_ppm=VAT, net_micros=1_234_500_000, tax_micros=259_250_000),
    ),
    rounding_micros=0,
    total_micros=1_493_750_000,
    paid_micros=0,
    payments=(),
)  # fmt: skip
PARTLY = replace(
    BILL,
    paid_micros=493_750_000,
    payments=(DocumentPayment(on=date(2026, 3, 20), amount_micros=493_750_000),),
)
PAID = replace(
    BILL,
    paid_micros=BILL.total_micros,
    payments=(DocumentPayment(on=date(2026, 3, 20), amount_micros=BILL.total_micros),),
)


SALE = Receipt(
    org_id=1,
    customer_id=42,
    number="RC-12",
    kind=ReceiptKind.SALE,
    issued_at=datetime(2026, 3, 10, 14, 30, tzinfo=UTC),
    issued_on=date(2026, 3, 10),
    seller=BILL.seller,
    buyer=BILL.buyer,
    channel="bank_transfer",
    reference="T-99",
    lines=(DocumentLine(text="Day 10 GB", net_micros=10_000_000, tax_rate_ppm=VAT),),
    tax_totals=(TaxTotal(tax_rate_ppm=VAT, net_micros=10_000_000, tax_micros=2_100_000),),
    net_micros=10_000_000,
    tax_micros=2_100_000,
    rounding_micros=0,
    total_micros=12_100_000,
    currency="EUR",
)
TOP_UP = replace(
    SALE,
    kind=ReceiptKind.TOP_UP,
    channel="paypal",
    reference=None,
    lines=(DocumentLine(text="Credit to the wallet", net_micros=12_100_000, tax_rate_ppm=0),),
    tax_totals=(),
    net_micros=12_100_000,
    tax_micros=0,
)


def with_lines(*texts: str) -> BillDocument:
    """BILL with other lines, of nothing."""
    lines = tuple(DocumentLine(text=text, net_micros=0, tax_rate_ppm=VAT) for text in texts)
    return replace(BILL, lines=lines)


def text_of(octets: bytes) -> str:
    """All text as it stands on the pages, thin spaces as plain ones; pages end with a form feed."""
    done = subprocess.run(
        ["pdftotext", "-layout", "-", "-"], input=octets, capture_output=True, check=True
    )
    return done.stdout.decode().replace("\u202f", " ")


def pages_of(octets: bytes) -> list[str]:
    return text_of(octets).removesuffix("\f").split("\f")


def picture_of(octets: bytes, folder: Path, name: str = "page") -> Path:
    """The first page as PNG."""
    target = folder / name
    subprocess.run(
        ["pdftoppm", "-png", "-r", "72", "-singlefile", "-", str(target)], input=octets, check=True
    )
    return target.with_suffix(".png")

"""Bills for the tests of documents, and what is read back from their PDF."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from PIL import Image, ImageChops, ImageStat

from billing.model.documents import (
    BillDocument,
    CreditDocument,
    DocumentLine,
    DocumentPayment,
    Party,
    TaxTotal,
)
from billing.model.receipts import Receipt, ReceiptKind

GOLDEN = Path(__file__).parent / "golden"
DIFFERENT_PIXELS = 0.002
"""Share of pixels that may differ by more than a shade: anti-aliasing of another build."""
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

CREDIT = CreditDocument(
    org_id=1,
    number="CN-3",
    issued_on=date(2026, 3, 25),
    due_on=date(2026, 3, 25),
    first_day=BILL.first_day,
    last_day=BILL.last_day,
    seller=BILL.seller,
    buyer=BILL.buyer,
    customer_id=42,
    currency="EUR",
    lines=(
        DocumentLine(text="Part of INV-7", net_micros=40_000_000, tax_rate_ppm=75_000),
        DocumentLine(text="Part of INV-7", net_micros=100_000_000, tax_rate_ppm=VAT),
    ),
    tax_totals=(
        TaxTotal(tax_rate_ppm=75_000, net_micros=40_000_000, tax_micros=3_000_000),
        TaxTotal(tax_rate_ppm=VAT, net_micros=100_000_000, tax_micros=21_000_000),
    ),
    rounding_micros=0,
    total_micros=164_000_000,
    paid_micros=0,
    payments=(),
    bill_number="INV-7",
    billed_on=date(2026, 3, 10),
    reason="three days without service",
    to_wallet_micros=64_000_000,
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


def looks_like(octets: bytes, name: str, folder: Path) -> None:
    """The first page is the golden picture of this name. After a wanted change of a template: `cp`
    the picture that is named over the golden one."""
    seen = picture_of(octets, folder, name)
    with Image.open(seen) as page, Image.open(GOLDEN / f"{name}.png") as golden:
        assert page.size == golden.size, seen
        changed = ImageChops.difference(page.convert("L"), golden.convert("L"))
        share = ImageStat.Stat(changed.point(lambda shade: 255 if shade > 64 else 0)).mean[0] / 255
    assert share <= DIFFERENT_PIXELS, f"{share:.2%} of the pixels differ: {seen}"

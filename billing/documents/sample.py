"""Bills and vouchers of nobody, on which a design is tried before it is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from billing.model.documents import (
    BillDocument,
    DocumentLine,
    DocumentPayment,
    Party,
    TaxTotal,
)
from billing.model.vouchers import BatchView, Code, CodeFormat, VoucherKind

FULL = BillDocument(
    org_id=1,
    number="INV-1",
    issued_on=date(2026, 3, 10),
    due_on=date(2026, 4, 1),
    first_day=date(2026, 3, 10),
    last_day=date(2026, 4, 9),
    seller=Party(name="Your company", address_lines=("1 Your Street",), tax_id="X1"),
    buyer=Party(
        name="A customer",
        address_lines=("2 Their Street",),
        tax_id="X2",
        email="customer@mail.example",
        phone="+15550100",
    ),
    customer_id=1,
    currency="EUR",
    lines=(DocumentLine(text="Home 50", net_micros=30_000_000, tax_rate_ppm=210_000),),
    tax_totals=(
        TaxTotal(tax_rate_ppm=210_000, net_micros=30_000_000, tax_micros=6_300_000),
    ),
    rounding_micros=0,
    total_micros=36_300_000,
    paid_micros=6_300_000,
    payments=(DocumentPayment(on=date(2026, 3, 20), amount_micros=6_300_000),),
)  # fmt: skip
BARE = replace(
    FULL,
    first_day=None,
    last_day=None,
    seller=Party(name="Your company"),
    buyer=Party(name="A customer"),
    paid_micros=0,
    payments=(),
)
BATCH = BatchView(
    batch_id=1,
    org_id=1,
    name="Vouchers of nobody",
    kind=VoucherKind.PLAN,
    plan_name="Day pass",
    face_micros=5_000_000,
    currency="EUR",
    code=CodeFormat(length=12),
    as_login=True,
    made_at=datetime(2026, 3, 10, tzinfo=UTC),
    expires_at=datetime(2026, 12, 31, tzinfo=UTC),
    codes_kept=True,
    first_serial=1,
    last_serial=4,
    stock={},
)
_PASSWORD = "QRSTUV"  # noqa: S105  # nosec B105 (of nobody)
CODES = [Code(serial=number, code="ABCDEFGHJKLM", password=_PASSWORD) for number in range(1, 5)]

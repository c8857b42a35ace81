"""Receipts of sales and of money that came in (rule I6). Amounts in micros."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from billing.model.documents import DocumentLine, Party, TaxTotal


class ReceiptKind(StrEnum):
    """`TOP_UP` is no supply: tax is due when the money is spent. `BILL`: money for a bill, which
    has the tax; where that is due as the bill is paid, the receipt says how much of it. `VOUCHER`:
    vouchers that were sold; tax is due when one is redeemed for a package."""

    SALE = "sale"
    TOP_UP = "top_up"
    BILL = "bill"
    VOUCHER = "voucher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """As it was issued, with the names and addresses of that moment. `channel` is how it was paid:
    `wallet`, or a channel of money. `tax_totals` has no rate without tax."""

    org_id: int
    customer_id: int
    number: str
    kind: ReceiptKind
    issued_at: datetime
    issued_on: date
    seller: Party
    buyer: Party
    channel: str
    reference: str | None
    lines: tuple[DocumentLine, ...]
    tax_totals: tuple[TaxTotal, ...]
    net_micros: int
    tax_micros: int
    rounding_micros: int
    total_micros: int
    currency: str

    @property
    def paid_by(self) -> str:
        """The channel as people write it: `bank transfer`."""
        return "PayPal" if self.channel == "paypal" else self.channel.replace("_", " ")

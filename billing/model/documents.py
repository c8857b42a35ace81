"""What an invoice or its receipt says, ready to be set (rules I1-I4, I6). Amounts in micros."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Paper(StrEnum):
    """A4 pages, or one strip of 80 mm for a receipt printer."""

    A4 = "a4"
    RECEIPT = "receipt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who bills, or who is billed; `country` as ISO 3166-1 writes it, two capital letters;
    `language` is the one that papers to them are in, where there is such."""

    name: str
    address_lines: tuple[str, ...] = ()
    tax_id: str | None = None
    country: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLine:
    """One thing that is billed, without its tax. `tax_micros`: its part of the tax of its rate;
    None where the document tells the tax as a whole only."""

    text: str
    net_micros: int
    tax_rate_ppm: int
    tax_micros: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxTotal:
    """All lines of one rate together (rule I1)."""

    tax_rate_ppm: int
    net_micros: int
    tax_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPayment:
    """What was paid of it on a local day; negative: what a credit note gave back (rules I2, I4)."""

    on: date
    amount_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentCredit:
    """A credit note on it (rule I2)."""

    number: str
    on: date
    total_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BillDocument:
    """`first_day` to `last_day` (both included) is what it covers. Days are local (rule M3).
    The total is the nets and taxes of all rates and the rounding. `e_invoice`: it was issued as
    one (EN 16931)."""

    org_id: int
    number: str
    issued_on: date
    due_on: date
    first_day: date | None
    last_day: date | None
    seller: Party
    buyer: Party
    customer_id: int
    currency: str
    lines: tuple[DocumentLine, ...]
    tax_totals: tuple[TaxTotal, ...]
    rounding_micros: int
    total_micros: int
    paid_micros: int
    payments: tuple[DocumentPayment, ...]
    credits: tuple[DocumentCredit, ...] = ()
    written_off_micros: int = 0
    e_invoice: bool = False

    @property
    def open_micros(self) -> int:
        credited_micros = sum(one.total_micros for one in self.credits)
        return self.total_micros - self.paid_micros - credited_micros - self.written_off_micros

    @property
    def net_micros(self) -> int:
        return sum(one.net_micros for one in self.tax_totals)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditDocument(BillDocument):
    """A credit note on a bill, whole or in part (rule I2): it reads like a bill, its amounts are
    what is given back, and nothing of it is open. `to_wallet_micros` of it had been paid."""

    bill_number: str
    billed_on: date
    reason: str
    to_wallet_micros: int

    @property
    def open_micros(self) -> int:
        return 0

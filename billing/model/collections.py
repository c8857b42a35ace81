"""Money that collectors take in the field, by the numbers of their receipts (rule R4). Amounts are
micros of the named currency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

COLLECTED = "collected"
"""What a shift names the cash that collectors handed over to its cashier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookView:
    """A book of numbered receipts that a collector has. `next_number`: the lowest that nobody has
    entered; None: all are used."""

    book_id: int
    org_id: int
    collector: str
    series: str
    first_number: int
    last_number: int
    next_number: int | None
    used: int
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperReceipt:
    """One receipt, entered. `settlement_id` None: the collector still has the money."""

    book_id: int
    series: str
    number: int
    collector: str
    customer_id: int
    customer_name: str
    amount_micros: int
    currency: str
    bill_number: str | None
    receipt_number: str | None
    """Of the receipt that the product has written for the payment."""
    entered_at: datetime
    entered_by: str
    settlement_id: int | None
    repeated: bool = False

    @property
    def text(self) -> str:
        return f"{self.series}{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitView:
    """How much cash a collector may hold before it hands over; None: as much as it takes."""

    collector: str
    limit_micros: int | None
    currency: str
    set_at: datetime
    set_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementView:
    """A collector handed over: what its receipts say, and what was counted."""

    settlement_id: int
    org_id: int
    collector: str
    currency: str
    receipts: int
    expected_micros: int
    counted_micros: int
    at: datetime
    by: str
    note: str | None

    @property
    def difference_micros(self) -> int:
        """Counted less expected: what is missing is negative."""
        return self.counted_micros - self.expected_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorLine:
    """What a collector took on the days from `first_day` to before `next_first_day`, handed over in
    them with what difference, and has still (of any day)."""

    collector: str
    currency: str
    receipts: int
    taken_micros: int
    handed_micros: int
    difference_micros: int
    open_receipts: int
    open_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorReport:
    first_day: date
    next_first_day: date
    lines: tuple[CollectorLine, ...]

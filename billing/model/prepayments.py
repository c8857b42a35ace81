"""Manual funding: a prepayment invoice each month (rule P5). Micros; months by their first day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from billing.model.bills import Parked


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaymentView:
    """What a wallet is asked for each month."""

    wallet_id: int
    currency: str
    amount_micros: int
    due_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaymentInvoiceView:
    """Nothing is owed by it; what is paid is credited then."""

    customer_id: int
    prepayment_id: int
    wallet_id: int
    number: str
    month: date
    amount_micros: int
    currency: str
    issued_at: datetime
    due_on: date
    paid_at: datetime | None
    cancelled_at: datetime | None

    @property
    def state(self) -> str:
        if self.paid_at:
            return "paid"
        return "cancelled" if self.cancelled_at else "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaymentRunReport:
    at: datetime
    issued: int
    parked: tuple[Parked, ...]

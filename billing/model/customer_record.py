"""What is kept of a customer, as lists show it. Amounts in micros, days local, instants UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.model.views import InvoiceView


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRow:
    """A line of the list. `available` is that of the customer's own wallet (rule P2); `open` what
    is left to pay of all bills; `overdue`: the payment date of one has passed."""

    customer_id: int
    name: str
    email: str | None
    phone: str | None
    profile_name: str
    subscriptions: int
    available_micros: int
    open_micros: int
    currency: str
    overdue: bool
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPage:
    """`next_before` continues (pass it as `before`); None on the last page."""

    rows: tuple[CustomerRow, ...]
    next_before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """What one journal entry moved in a wallet, and its posted balance after it."""

    entry_id: int
    at: datetime
    kind: str
    memo: str
    corrects_entry_id: int | None
    amount_micros: int
    balance_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPage:
    """Newest first; `next_before` as in CustomerPage."""

    lines: tuple[LedgerLine, ...]
    next_before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLine:
    """Money that arrived. `channel` is a MoneyChannel's value."""

    payment_id: int
    received_at: datetime
    channel: str
    reference: str | None
    amount_micros: int
    currency: str


class BillState(StrEnum):
    """`CREDITED`: nothing is left of it. `OVERDUE`: its payment date has passed (rule B9)."""

    OPEN = "open"
    OVERDUE = "overdue"
    PAID = "paid"
    CREDITED = "credited"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """A bill in a list, with its state today."""

    bill: InvoiceView
    state: BillState


@dataclass(frozen=True, slots=True, kw_only=True)
class BillPage:
    """Newest first; `next_before` as in CustomerPage."""

    lines: tuple[BillLine, ...]
    next_before: int | None

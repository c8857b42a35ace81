"""Statements of account: what happened on a customer's account in a time (rule P1). Micros."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from billing.model.bills import Parked
from billing.model.documents import Party


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEntry:
    """A journal entry as the account sees it: wallets and what is owed together, so that money that
    goes from the one to the other changes nothing. Positive: in the customer's favour."""

    at: datetime
    kind: str
    memo: str
    amount_micros: int
    bill: str | None = None
    credit_note: str | None = None
    channel: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """A movement on a local day, and the balance after it."""

    on: date
    text: str
    amount_micros: int
    balance_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBill:
    """What was left to pay of a bill when the time ended."""

    number: str
    issued_on: date
    due_on: date
    total_micros: int
    open_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Movements from `first_day` to `last_day`, local days, both included. A balance below zero is
    what the customer owes."""

    first_day: date
    last_day: date
    opening_micros: int
    lines: tuple[StatementLine, ...]
    closing_micros: int

    @property
    def charged_micros(self) -> int:
        return -sum(line.amount_micros for line in self.lines if line.amount_micros < 0)

    @property
    def credited_micros(self) -> int:
        return sum(line.amount_micros for line in self.lines if line.amount_micros > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """An account as it is sent to its customer."""

    org_id: int
    customer_id: int
    seller: Party
    buyer: Party
    currency: str
    account: Account
    open_bills: tuple[OpenBill, ...]

    @property
    def open_micros(self) -> int:
        return sum(bill.open_micros for bill in self.open_bills)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRunReport:
    """What a run of the job did: statements queued, and customers that it could not serve."""

    at: datetime
    queued: int
    parked: tuple[Parked, ...]

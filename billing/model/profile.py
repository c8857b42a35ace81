"""Billing profiles: when a customer is billed and what happens when it does not pay (rules B)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class BillingKind(StrEnum):
    DAILY = "daily"
    MONTHLY = "monthly"


class Payment(StrEnum):
    PREPAID = "prepaid"
    POSTPAID = "postpaid"


class DueBasis(StrEnum):
    ISSUE = "issue"
    CYCLE_START = "cycle_start"


class BillIn(StrEnum):
    ADVANCE = "advance"
    ARREARS = "arrears"


class TaxPoint(StrEnum):
    """When the tax of a bill is due (rule I6). What is bought with wallet money is taxed when it is
    bought: to top up is no supply."""

    ISSUE = "issue"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingProfile:
    """The switches of billing-rules.md B, one field each.

    `suspend_at_hour` is a local hour; `no_cut_weekdays` uses 0 = Monday; `due_days` counts
    calendar days; `credit_limit_micros` is how far below zero a postpaid wallet may go. What a
    customer may promise to pay itself (B19): `promise_count` times in `promise_period_days` (0:
    only staff takes promises), up to `promise_days` ahead, up to `promise_amount_micros` in all.
    """

    name: str
    kind: BillingKind
    payment: Payment
    automatic_bill: bool = False
    monthly_statement: bool = False
    automatic_suspend: bool = False
    cycle_ends_with_month: bool = False
    cycle_day: int = 1
    due_basis: DueBasis = DueBasis.ISSUE
    due_days: int = 10
    bill_in: BillIn = BillIn.ADVANCE
    suspend_at_hour: int = 0
    no_cut_weekdays: frozenset[int] = field(default_factory=frozenset)
    no_cut_dates: frozenset[date] = field(default_factory=frozenset)
    suspended_pool: str | None = None
    credit_limit_micros: int = 0
    tax_rate_ppm: int = 0
    tax_inclusive: bool = True
    tax_point: TaxPoint = TaxPoint.ISSUE
    promise_count: int = 0
    promise_period_days: int = 30
    promise_days: int = 7
    promise_amount_micros: int = 0

    @property
    def recurring_prepaid(self) -> bool:
        """Whether each period must be paid before it begins (rule P10)."""
        prepaid = self.payment is Payment.PREPAID
        return self.kind is BillingKind.MONTHLY and self.automatic_bill and prepaid

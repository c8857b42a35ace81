"""Bills before and after they get their number (rules B7, I1, I2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from billing.model.charges import BillLine
from billing.model.profile import TaxPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class BillDraft:
    """For local days from `cycle_from` to before `cycle_until`, None where it is for usage or a
    fee. The total is net (the sum of the lines), tax and rounding together, in micros (rule M2).

    Usage on it was charged to the wallet `wallet_id` as `usage_micros`, with a tax of
    `usage_tax_micros` in it; its lines have `usage_net_micros` of the net. Either it is owed from
    now on (`usage_owed`) or `usage_paid_micros` of the total are paid already (rule P11).
    """

    customer_id: int
    org_id: int
    subscription_id: int | None
    due_on: date
    cycle_from: date | None
    cycle_until: date | None
    lines: tuple[BillLine, ...]
    net_micros: int
    tax_micros: int
    rounding_micros: int
    currency: str
    tax_due_micros: int
    """Of the tax, what is due with the issue: by its tax point all of it or, as of what is paid
    already, a part (rule I6)."""
    tax_point: TaxPoint = TaxPoint.ISSUE
    wallet_id: int | None = None
    usage_micros: int = 0
    usage_tax_micros: int = 0
    usage_net_micros: int = 0
    usage_owed: bool = False
    usage_paid_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedBill:
    """What a draft has become."""

    customer_id: int
    org_id: int
    invoice_id: int
    number: str
    total_micros: int
    due_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class BillPayment:
    """Wallet money for all that is left of a bill; `tax_micros` of its tax is due by it."""

    customer_id: int
    org_id: int
    wallet_id: int
    invoice_id: int
    number: str
    amount_micros: int
    tax_micros: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Billable:
    """A subscription that is billed automatically, with what decides its next bill (rule B7).

    `billed_from`: no local day before is billed, as another profile held then. `billed_until`: the
    day after the last billed cycle. `on_hold_since`: recurring prepaid whose period the wallet did
    not cover (rule P10); `renews_at` is when that is looked at next. `wallet_currency` is None
    where the wallet is missing, which no service makes; `free_micros` is what the wallet has to pay
    with, `owed_micros` what is open of the subscription's bills. A closed one is billed its usage
    and charges only. `packages_until`: the day after the last cycle whose package has come without
    a bill; `has_void`: a bill of it was void.
    """

    customer_id: int
    org_id: int
    subscription_id: int
    wallet_id: int
    username: str
    created_at: datetime
    billed_from: date | None
    plan_version_id: int
    profile_id: int
    bills_from: date
    billed_until: date | None
    on_hold_since: datetime | None
    renews_at: datetime | None
    wallet_currency: str | None
    free_micros: int
    credit_limit_micros: int
    owed_micros: int
    is_closed: bool = False
    packages_until: date | None = None
    has_void: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A customer that a job could not serve, and why; it is tried again by the next run."""

    job: str
    customer_id: int
    at: datetime
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRunReport:
    """`total_micros` is the sum of the bills issued."""

    at: datetime
    issued: int
    total_micros: int
    currency: str
    parked: tuple[Parked, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRunNote:
    """What is remembered of a run that issued bills or parked customers."""

    at: datetime
    issued: int
    total_micros: int
    currency: str
    parked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BillPreview:
    """A bill that a run would issue; where `short_micros` is more than zero it would not, as the
    prepaid wallet lacks so much (rule P10)."""

    customer_id: int
    username: str
    first_day: date
    next_first_day: date
    plan_name: str
    total_micros: int
    currency: str
    short_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewPage:
    """A part of what a run would do, by customer; `next_after` continues (pass it as `after`)."""

    bills: tuple[BillPreview, ...]
    parked: tuple[Parked, ...]
    next_after: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewTotals:
    """All that a run would do. `customers` are those whom it would look at."""

    customers: int
    bills: int
    total_micros: int
    currency: str
    parked: int

"""What services hand out: frozen values for the panel, the command line and the API to show.

Amounts are micros of the named currency, instants UTC, octets and seconds whole numbers.
None in a quantity that is left means: not limited.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from billing.model.account import Upcoming
from billing.model.grants import OverspendView
from billing.model.network import Vendor, dialect_of
from billing.model.own_reply import OwnReply
from billing.model.plan import PlanTerms
from billing.model.profile import BillingProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """What needs somebody: customers parked, messages given up, findings of the ledger's check,
    orders to NAS that failed."""

    parked: int
    messages: int
    findings: int
    orders: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorView:
    name: str
    time_zone: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileView:
    """A billing profile as stored; `revision` rises with every edit."""

    profile_id: int
    org_id: int
    revision: int
    profile: BillingProfile
    created_at: datetime
    archived_at: datetime | None = None
    customers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """A plan with the terms of one of its versions (rule M6)."""

    plan_id: int
    org_id: int
    name: str
    version: int
    effective_from: datetime
    terms: PlanTerms
    created_at: datetime
    archived_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletView:
    """`available` is rule P2: posted − unposted − reserved. `uninvoiced`: rated usage that is on no
    bill yet, posted or not, where a customer or subscriber is shown."""

    wallet_id: int
    currency: str
    posted_micros: int
    unposted_micros: int
    reserved_micros: int
    credit_limit_micros: int
    uninvoiced_micros: int = 0

    @property
    def available_micros(self) -> int:
        return self.posted_micros - self.unposted_micros - self.reserved_micros

    @property
    def spendable_micros(self) -> int:
        """What a purchase may cost (rule P12); never negative."""
        return max(0, self.available_micros + self.credit_limit_micros)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerView:
    customer_id: int
    org_id: int
    name: str
    email: str | None
    phone: str | None
    locale: str
    alert_addresses: tuple[str, ...]
    """Where its messages go; to `email` where there is none."""
    alert_numbers: tuple[str, ...]
    """Telephone numbers that get them, too, by the operator's webhook."""
    profile_id: int
    profile_name: str
    created_at: datetime
    closed_at: datetime | None
    discontinue_on: date | None
    promise_until: date | None
    monthly_statement: bool | None
    """Whether it wants a statement each month; None: as its profile says."""
    wallets: tuple[WalletView, ...]
    """The customer's own wallet first."""
    subscription_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateView:
    """The cause of table S that decides, and what it does."""

    rule: str
    reason: str
    effect: str
    """normal | suspended_pool | reject"""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitlementView:
    """`status`: running | waiting (for its predecessor or the first login) | used_up | expired."""

    entitlement_id: int
    plan_name: str
    plan_version_id: int
    status: str
    purchased_at: datetime
    valid_from: datetime | None
    valid_until: datetime | None
    validity_minutes: int | None
    seconds_total: int | None
    seconds_left: int | None
    octets_total: int | None
    octets_left: int | None
    price_micros: int
    ended_at: datetime | None
    carried_seconds: int = 0
    carried_octets: int = 0
    """Of its totals, what was left of the package before it (rule B4)."""
    rolls_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """`input` is what the subscriber sent, `output` what it received."""

    session_id: int
    subscription_id: int
    username: str
    nas_id: int
    nas_name: str | None
    acct_session_id: str
    started_at: datetime
    last_event_at: datetime
    closed_at: datetime | None
    terminate_cause: str | None
    seconds: int
    input_octets: int
    output_octets: int
    charged_micros: int
    framed_ip: str | None
    calling_station: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRow:
    """One line of a search: `state` at the asked instant, and what its packages still give."""

    customer_id: int
    subscription_id: int
    org_id: int
    username: str
    customer_name: str
    profile_name: str
    plan_name: str | None
    state: StateView
    valid_until: datetime | None
    seconds_left: int | None
    seconds_total: int | None
    octets_left: int | None
    octets_total: int | None
    live_sessions: int
    framed_ip: str | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionPage:
    """`next_after` continues the search (pass it as `after`); None on the last page."""

    rows: tuple[SubscriptionRow, ...]
    next_after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionView:
    """Everything about one subscription but its secret."""

    row: SubscriptionRow
    customer: CustomerView
    wallet: WalletView
    plan: PlanTerms | None
    profile: BillingProfile
    credential: str
    """sealed | nt_hash | pbkdf2 | none: which kind is stored, never the secret."""
    speed_up_kbps: int | None
    speed_down_kbps: int | None
    slowed_after_octets: int | None
    """The step of fair use in force (rule Q2); None: full speed."""
    slowed_up_kbps: int | None
    slowed_down_kbps: int | None
    allowed_nas_ids: tuple[int, ...] | None
    allowed_nas_names: tuple[str, ...]
    allowed_macs: tuple[str, ...] | None
    login_hours: str | None
    session_limit: int | None
    own_reply: OwnReply
    """What it alone is sent in an Access-Accept."""
    created_at: datetime
    hold_note: str | None
    hold_until: datetime | None
    hold_behaviour: str | None
    paused_at: datetime | None
    on_hold_since: datetime | None
    """Recurring prepaid that its wallet does not cover (rule P10)."""
    renews: bool
    """Daily packages are bought again by themselves (rule P10)."""
    upcoming: Upcoming | None
    """What recurring prepaid buys next."""
    entitlements: tuple[EntitlementView, ...]
    sessions: tuple[SessionView, ...]
    """Open ones."""
    unpaid_bills: tuple[InvoiceView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceView:
    """`cycle_until` is exclusive; days are the operator's local days (rule M3)."""

    invoice_id: int
    customer_id: int
    subscription_id: int | None
    number: str
    issued_at: datetime
    due_on: date
    cycle_from: date | None
    cycle_until: date | None
    total_micros: int
    paid_micros: int
    credited_micros: int
    written_off_micros: int
    currency: str
    paid_at: datetime | None
    """When nothing was left to pay, as it was paid, credited or written off."""

    @property
    def open_micros(self) -> int:
        settled_micros = self.paid_micros + self.credited_micros + self.written_off_micros
        return self.total_micros - settled_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleReceipt:
    """The result of a sale (rule I6); `total` includes `tax`. `repeated`: the same command had
    been carried out before (rule M5)."""

    customer_id: int
    subscription_id: int
    entitlement_id: int
    entry_id: int | None
    invoice_number: str | None
    plan_name: str
    total_micros: int
    tax_micros: int
    rounding_micros: int = 0
    currency: str
    valid_from: datetime | None
    valid_until: datetime | None
    available_micros: int
    receipt_number: str | None = None
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentReceipt:
    """The result of a top-up or payment; `settled` are the bills it paid in full, oldest first
    (I4); `recovered_micros` of it were for what had been written off (I5). `payment_id` is None
    when wallet money was used."""

    customer_id: int
    payment_id: int | None
    amount_micros: int
    currency: str
    settled: tuple[str, ...]
    recovered_micros: int = 0
    available_micros: int
    receipt_number: str | None = None
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NasView:
    nas_id: int
    org_id: int
    name: str
    address: str
    vendor: str
    coa_port: int
    swap_octets: bool
    require_message_authenticator: bool
    created_at: datetime
    closed_at: datetime | None

    @property
    def dialect(self) -> Vendor:
        """What is spoken to it: standard attributes where the vendor is not known."""
        return dialect_of(self.vendor)

    @property
    def spoken(self) -> str:
        """The vendor, and the dialect where it is another."""
        if self.vendor == self.dialect:
            return self.vendor
        return f"{self.vendor} (not known: {self.dialect})"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayUsage:
    """`kind`: entitlement | payg | flat | overspend | free; `day` is the operator's local day (U9).
    `tariff_window`: free in it, or at its own price (Q3)."""

    day: date
    kind: str
    seconds: int
    input_octets: int
    output_octets: int
    charged_micros: int
    tariff_window: str = ""

    @property
    def paid_by(self) -> str:
        """`entitlement`, `free (night)`, `payg (peak)`."""
        return f"{self.kind} ({self.tariff_window})" if self.tariff_window else self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageView:
    row: SubscriptionRow
    currency: str
    days: tuple[DayUsage, ...]
    """Newest first."""
    seconds: int
    input_octets: int
    output_octets: int
    charged_micros: int
    """Totals over all days, not only the ones listed."""
    overspends: tuple[OverspendView, ...] = ()
    """What was used after it was used up (rule P12), latest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseView:
    rule: str
    holds: bool
    detail: str
    lifted_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyView:
    """Why the service is as it is at an instant (rule B16)."""

    username: str
    at: datetime
    state: StateView
    causes: tuple[CauseView, ...]
    lines: tuple[str, ...]
    """The same in plain words, ready to print."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """One line of `doctor`. `status`: ok | warn | fail; `mend` says what to do."""

    name: str
    status: str
    detail: str
    mend: str = ""

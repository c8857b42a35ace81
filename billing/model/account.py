"""The state an access decision is made from: one subscription with all that can hold it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from billing.model.own_reply import OwnReply
from billing.model.plan import Entitlement, PlanTerms
from billing.model.profile import BillingProfile


class HoldBehaviour(StrEnum):
    """What a staff suspension does (rule S2)."""

    REJECT = "reject"
    SUSPENDED_POOL = "suspended_pool"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffHold:
    """Suspended by staff: `until` None means until staff lifts it (rule S2)."""

    note: str
    until: datetime | None
    behaviour: HoldBehaviour


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpaidBill:
    """`due_on` is a local calendar day, payable for the whole of it (rule B9)."""

    number: str
    due_on: date
    open_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingCap:
    """What a wallet may spend until an instant, in micros (rule P14); nothing left: reached."""

    amount_micros: int
    left_micros: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """Amounts in micros; `available` is rule P2."""

    currency: str
    posted_micros: int = 0
    unposted_micros: int = 0
    reserved_micros: int = 0
    credit_limit_micros: int = 0
    cap: SpendingCap | None = None
    promised_micros: int = 0
    """What a promise to pay lends to usage until `promised_until` (rule B19)."""
    promised_until: datetime | None = None

    @property
    def available_micros(self) -> int:
        return self.posted_micros - self.unposted_micros - self.reserved_micros

    @property
    def spendable_micros(self) -> int:
        """What a purchase may cost (rule P12); never negative."""
        return max(0, self.available_micros + self.credit_limit_micros)

    def lent_micros(self, now: datetime) -> int:
        """By a promise that stands (rule B19)."""
        stands = self.promised_until is not None and now < self.promised_until
        return self.promised_micros if stands else 0

    def funds_at(self, now: datetime) -> int:
        """What usage may still cost before rule P8 holds, whatever the cap; never negative."""
        return max(0, self.available_micros + self.credit_limit_micros + self.lent_micros(now))

    def spendable_at(self, now: datetime) -> int:
        """The same, and no more than the spending cap leaves (rule P14): one of a month that is
        over binds nobody."""
        if self.cap is None or now >= self.cap.until:
            return self.funds_at(now)
        return max(0, min(self.funds_at(now), self.cap.left_micros))


@dataclass(frozen=True, slots=True, kw_only=True)
class Upcoming:
    """What recurring prepaid service buys next from its wallet (rule P10): in micros, tax and
    charges included. `begins_at` is None where nothing runs: the period begins with the credit."""

    text: str
    begins_at: datetime | None
    total_micros: int
    problem: str | None = None
    """Why it cannot be bought, whatever the wallet has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginWindow:
    """Login allowed on these local weekdays (0 = Monday) from minute to minute of the day.

    `until_minute` is exclusive and may be 1440; a window never spans midnight (write two).
    """

    weekdays: frozenset[int]
    from_minute: int
    until_minute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What FreeRADIUS verifies the password against; at most one is set (rule A2)."""

    cleartext: str | None = None
    nt_hash: bytes | None = None
    pbkdf2: str | None = None

    @property
    def present(self) -> bool:
        return not (self.cleartext is None and self.nt_hash is None and self.pbkdf2 is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One subscription at one instant. All instants are UTC; `time_zone` is the operator's."""

    customer_id: int
    subscription_id: int
    username: str
    profile: BillingProfile
    plan: PlanTerms | None
    """The subscription's plan: pay-as-you-go prices, and the service where nothing is bought."""
    wallet: Wallet
    time_zone: str
    created_at: datetime
    credential: Credential = Credential()
    entitlements: tuple[Entitlement, ...] = ()
    """Not used up and not expired, in the order of use (rule Q1)."""
    package_plan: PlanTerms | None = None
    """The plan of the package in use (the first of `entitlements`): its speed and pool apply."""
    last_ended: Entitlement | None = None
    """The one that ended most recently, to say why there is no service (rule S7)."""
    closed_at: datetime | None = None
    staff_hold: StaffHold | None = None
    paused_at: datetime | None = None
    discontinue_on: date | None = None
    promise_until: date | None = None
    paid_until: datetime | None = None
    """End of the last paid cycle; None when none was ever paid (rule B9)."""
    unpaid_bills: tuple[UnpaidBill, ...] = ()
    """Oldest due day first."""
    on_hold_since: datetime | None = None
    """Recurring prepaid: since when billing is on hold, as the wallet did not cover the period that
    had begun (rule P10)."""
    upcoming: Upcoming | None = None
    """For explanations only; nothing is decided by it but what they foresee."""
    framed_ip: str | None = None
    speed_up_kbps: int | None = None
    speed_down_kbps: int | None = None
    allowed_nas_ids: frozenset[int] | None = None
    allowed_macs: frozenset[str] | None = None
    login_windows: tuple[LoginWindow, ...] | None = None
    session_limit: int | None = None
    own_reply: OwnReply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginContext:
    """What the request itself adds to the account (rule A4)."""

    nas_id: int
    calling_station: str | None
    """MAC as 12 lower-case hex digits, or the text as sent when it is no MAC."""
    open_sessions: int = 0
    """Open, not silent, sessions of this subscription, not counting this MAC's own (A7)."""
    station_failures: int = 0
    all_failures: int = 0
    """Wrong passwords in the throttle window, from this station and from all."""
    station_known: bool = False
    """This station holds or recently held a session of this subscription."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One line of the table S, examined: what `why` prints (rule B16)."""

    rule: str
    holds: bool
    detail: str
    lifted_by: str = field(default="")

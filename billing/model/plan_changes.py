"""Changes of a subscription's plan, of a plan's price, and pauses (rules B17, B18, S3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum


class When(StrEnum):
    """`NOW`: unused days are given back and the new plan is charged. `NEXT`: at the next cycle, or
    when the packages have ended."""

    NOW = "now"
    NEXT = "next"


class ChangeKind(StrEnum):
    """By request (rule B17), or to a version with another price (rule B18)."""

    CHANGE = "change"
    PRICE = "price"


class ChangeState(StrEnum):
    PENDING = "pending"
    DONE = "done"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionChange:
    """A row of the record: from one version of a plan to another, from the local day
    `effective_on` on; None: when the packages have ended."""

    change_id: int
    customer_id: int
    subscription_id: int
    state: ChangeState
    from_version_id: int | None
    to_version_id: int
    effective_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChangeView:
    """The same as pages show it."""

    change_id: int
    kind: ChangeKind
    state: ChangeState
    from_plan: str | None
    to_plan: str
    price_micros: int
    currency: str
    effective_on: date | None
    requested_at: datetime
    finished_at: datetime | None
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChangeReceipt:
    """What a change of plan does, or would do: amounts in micros with their tax.

    `credited` went back for what was not used (of it to the wallet what had been paid), `charged`
    is what the new plan costs from now on. `lines`: the same in words, ready to print.
    """

    customer_id: int
    subscription_id: int
    username: str
    change_id: int
    from_plan: str | None
    to_plan: str
    when: str
    """now | next"""
    effective_on: date | None
    credited_micros: int
    charged_micros: int
    currency: str
    documents: tuple[str, ...]
    lines: tuple[str, ...]
    available_micros: int
    repeated: bool = False

    @property
    def difference_micros(self) -> int:
        """What the change costs in all; negative: what it gives back."""
        return self.charged_micros - self.credited_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A version of a plan to which customers of earlier ones move after notice (rule B18)."""

    plan_id: int
    plan_version_id: int
    effective_from: datetime
    notice_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OnPlan:
    """A subscription on an earlier version of a plan whose price changes (rule B18).
    `billed_until`: the day after what is billed already. `has_address`: mail can reach it."""

    customer_id: int
    subscription_id: int
    org_id: int
    username: str
    profile_id: int
    plan_version_id: int
    version: int
    price_micros: int
    billed_until: date | None
    has_address: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceMove:
    """Whom a new price concerns, and from which local day on: a cycle's first one; of daily
    customers the first on which packages cost it. `told`: gets a message about it."""

    customer_id: int
    subscription_id: int
    username: str
    version: int
    old_micros: int
    new_micros: int
    starts_on: date
    told: bool
    has_address: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RepriceReport:
    """`new_version` is None in a dry run. `more_micros`: by how much a period of all of them
    together is dearer (negative: cheaper); `silent`: those without an address to tell it to."""

    plan_id: int
    plan_name: str
    new_version: int | None
    effective_from: datetime
    notice_days: int
    old_micros: int
    new_micros: int
    currency: str
    customers: int
    more_micros: int
    silent: int
    moves: tuple[PriceMove, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRunReport:
    """What the job did: changes carried out, prices announced."""

    changed: int
    announced: int
    parked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseView:
    """A pause that has ended: how long validity stood still, how many days of bills it took off."""

    pause_id: int
    paused_at: datetime
    resumed_at: datetime
    stood_still_seconds: int
    credited_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseOffer:
    """What a pause is good for, as a customer is told before it begins and while it lasts.

    `allowed_days` a year as its plan says; `left` of them. `good_for`: what it gives back if it
    ends now; of monthly service whole local days. `day_micros`: the plan's price of a day of the
    present cycle, of monthly service. `refused`: why the customer cannot pause, and what to do."""

    paused_at: datetime | None
    monthly: bool
    allowed_days: int
    left: timedelta
    good_for: timedelta
    day_micros: int | None
    currency: str
    refused: str | None

"""What is sold: plans in versions, and the entitlement that a sale creates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.model.profile import TaxPoint

MINUTES_PER_DAY = 1440
USE_ORDER_DEFAULT = 50


class Starts(StrEnum):
    """When a daily package's validity begins (rule B2)."""

    PURCHASE = "purchase"
    FIRST_LOGIN = "first_login"


class Sharing(StrEnum):
    """How the sessions of a subscription share one allowance (rule Q4)."""

    SHARED = "shared"
    """Every session may use all that is left."""
    STRICT = "strict"
    """Each holds a slice that was reserved for it, and its NAS enforces."""


class FinalUnit(StrEnum):
    """What becomes of a session for which nothing more can be reserved (RFC 8506 8.35)."""

    TERMINATE = "terminate"
    REDIRECT = "redirect"
    RESTRICT_SPEED = "restrict-speed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTerms:
    """One version of a plan. None means: not limited (quantities), not offered (pay-as-you-go).

    Speeds are kbit/s from the subscriber's side; `payg_*_step` is the tariff step in octets or
    seconds, `payg_*_micros` the price of one step (rules P3, M6). Of several running packages the
    one with the lowest `use_order` is used first, of equal ones that which expires first (rule Q1).
    """

    plan_version_id: int
    plan_name: str
    price_micros: int
    currency: str
    validity_minutes: int | None = None
    validity_months: int | None = None
    starts: Starts = Starts.PURCHASE
    use_order: int = USE_ORDER_DEFAULT
    seconds: int | None = None
    octets: int | None = None
    speed_up_kbps: int | None = None
    speed_down_kbps: int | None = None
    pool: str | None = None
    pay_only_pool: str | None = None
    interim_seconds: int = 300
    idle_timeout_seconds: int | None = None
    payg_octet_step: int | None = None
    payg_octet_step_micros: int | None = None
    payg_second_step: int | None = None
    payg_second_step_micros: int | None = None
    outage_minutes: int | None = None
    """For so long an outage of the database leaves logins allowed; None: refused (rule A8)."""
    fair_use: str | None = None
    """Steps of fair use, as model.fair_use reads them (rule Q2); None: full speed always."""
    tariff_windows: str | None = None
    """Free and dearer hours, as model.tariff reads them (rule Q3); None: always the same."""
    sharing: Sharing = Sharing.SHARED
    slice_seconds: int | None = None
    slice_octets: int | None = None
    """With strict sharing, what is reserved for a session at a time; None with shared."""
    grant_valid_seconds: int | None = None
    """For so long a grant holds without a word of its session (RFC 8506 8.33)."""
    final_unit_action: FinalUnit | None = None
    restricted_up_kbps: int | None = None
    restricted_down_kbps: int | None = None
    pause_days: int | None = None
    """A pause stops validity for so many days a year; None: it runs on (rule S3)."""
    tax_rate_ppm: int | None = None
    """Of its price and its pay-as-you-go (rule I1); None: the billing profile's."""
    tax_point: TaxPoint | None = None
    """When the tax of its bills is due (rule I6); None: the billing profile's."""
    rolls_over: bool = False
    """What is unused of a package goes into the one that follows it; else it lapses (rule B4)."""

    @property
    def is_limited(self) -> bool:
        """Whether buying it gives a quantity of time or data."""
        return self.seconds is not None or self.octets is not None

    @property
    def pay_as_you_go(self) -> bool:
        return self.payg_octet_step is not None or self.payg_second_step is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """A bought allowance: usable while `valid_from ≤ now < valid_until` and nothing is used up.

    `follows`: begins when the one before it expires or is exhausted (rule B4); its `valid_from`,
    where set, is what was planned from expiry alone. Begun with `valid_until` None: it never
    expires. None in a quantity: not limited.
    """

    entitlement_id: int
    plan_version_id: int
    plan_name: str
    validity_minutes: int | None
    valid_from: datetime | None
    valid_until: datetime | None
    seconds_left: int | None
    octets_left: int | None
    follows: bool = False
    tariff_windows: str | None = None
    """Its plan's, as of the version that was sold (rules Q3, M6)."""

    @property
    def starts_at_first_login(self) -> bool:
        """Not begun, and its validity waits for its owner's first login (rule B2)."""
        return self.valid_from is None and not self.follows

    @property
    def used_up(self) -> bool:
        return self.seconds_left == 0 or self.octets_left == 0

"""What is sold for a period, and how much of it is earned (rule I6). Amounts net, in micros."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from billing.model.money import Money
from billing.model.plan import MINUTES_PER_DAY

LONGEST_BY_DAY_MINUTES = 366 * MINUTES_PER_DAY
"""A quantity that is valid for longer is earned as it is used, as if it had no end."""


class RevenueKind(StrEnum):
    """`PACKAGE`: sold to daily customers. `BILL`: days of a bill that are not over at its issue.
    `USAGE`: pay-as-you-go, earned when it is used and never deferred. `BREAKAGE`: what lapsed."""

    PACKAGE = "package"
    BILL = "bill"
    USAGE = "usage"
    BREAKAGE = "breakage"


@dataclass(frozen=True, slots=True)
class Use:
    """What was used of a package on a local day."""

    on: date
    seconds: int
    octets: int


@dataclass(frozen=True, slots=True)
class Earned:
    """Of something sold: earned by serving it, and by its lapsing unused (breakage)."""

    earned_micros: int
    breakage_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """Something sold that is earned over time. Local days (rule M3).

    It serves from `first_day` to before `next_first_day`; None where that is not known yet, or
    where there is no end. A package has `validity_minutes` (None: no end) and what it holds of time
    and octets (None: not limited). `used_up_on` and `lapsed_on` end it earlier: all of it was used,
    the subscription was closed.
    """

    net_micros: int
    first_day: date | None = None
    next_first_day: date | None = None
    validity_minutes: int | None = None
    seconds: int | None = None
    octets: int | None = None
    uses: tuple[Use, ...] = ()
    used_up_on: date | None = None
    lapsed_on: date | None = None

    @property
    def by_use(self) -> bool:
        """Whether the share used of its quantities earns it, rather than the days that pass."""
        is_limited = self.seconds is not None or self.octets is not None
        ends = self.validity_minutes
        return is_limited and (ends is None or ends > LONGEST_BY_DAY_MINUTES)


@dataclass(frozen=True, slots=True)
class Step:
    """What is posted of something sold by the end of a local day, more than before."""

    on: date
    earned_micros: int
    breakage_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferredItem:
    """Something sold with what the ledger has of it: `posted` is revenue through the local day
    `posted_through`; `returned_micros` was given back before it was earned."""

    customer_id: int
    item_id: int
    org_id: int
    kind: RevenueKind
    currency: str
    sold: Sold
    posted_through: date
    posted: Earned
    returned_micros: int = 0

    @property
    def open_micros(self) -> int:
        """What the ledger still defers of it."""
        posted = self.posted.earned_micros + self.posted.breakage_micros
        return self.sold.net_micros - posted - self.returned_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueLine:
    """Of one kind and currency in a stretch of local days. `deferred_*_micros` are what is sold and
    not earned at both ends: before + added − given back − recognised = after."""

    kind: RevenueKind
    currency: str
    earned_micros: int
    deferred_before_micros: int = 0
    added_micros: int = 0
    given_back_micros: int = 0
    recognised_micros: int = 0
    deferred_after_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueReport:
    """From the local day `first_day` to `last_day`, both included. `unposted`: what was earned
    by then that the ledger gets with the next posting, one amount a currency."""

    first_day: date
    last_day: date
    lines: tuple[RevenueLine, ...]
    unposted: tuple[Money, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognitionReport:
    """`items`: how many were posted; `parked`: customers that failed."""

    at: datetime
    items: int
    parked: int

"""What is billed beside the plan: recurring and one-off charges, discounts (rule I1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class ChargeKind(StrEnum):
    """`RECURRING`: its price each cycle, by the day. `ONE_OFF`: its price once. `DISCOUNT`: a share
    of the plan's price, by the day."""

    RECURRING = "recurring"
    ONE_OFF = "one_off"
    DISCOUNT = "discount"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A charge or a discount of a subscription.

    Local days; `ends_on` is the day after the last one; a one-off charge has one. `price_micros` is
    as the profile's prices are, with or without tax; of a discount `discount_ppm` counts.
    `billed_until`: the day after what bills hold of it already, None when they hold nothing.
    """

    charge_id: int
    customer_id: int
    subscription_id: int
    kind: ChargeKind
    text: str
    price_micros: int
    discount_ppm: int
    starts_on: date
    ends_on: date | None
    billed_until: date | None
    repeated: bool = False
    """The same command had been carried out before (rule M5)."""
    waived_at: datetime | None = None
    """When staff let a one-off charge go that no bill held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One line of a bill, net, in micros; `charge_id` and its days where it is an extra's."""

    text: str
    net_micros: int
    tax_rate_ppm: int
    charge_id: int | None = None
    first_day: date | None = None
    next_first_day: date | None = None

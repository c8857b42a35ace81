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
    tax_rate_ppm: int | None = None
    """None: the billing profile's; a discount has the plan's (rule I1)."""
    waived_at: datetime | None = None
    """When staff let a one-off charge go that no bill held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One line of a bill, net, in micros, and its part of the tax of its rate; `charge_id` and its
    days where it is an extra's. Of usage `usage_micros` is what was rated, tax included and not
    rounded, in the pieces that are named."""

    text: str
    net_micros: int
    tax_rate_ppm: int
    tax_micros: int
    charge_id: int | None = None
    first_day: date | None = None
    next_first_day: date | None = None
    usage_micros: int | None = None
    usage_charge_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnbilledUsage:
    """Posted pay-as-you-go of a subscription that no bill holds, of the local days of a calendar
    month (`month` is its day 1) and one tariff window, in the pieces that are named.

    `billed_this_month`: the subscription has had a bill of a cycle or of usage since the present
    month began.
    """

    customer_id: int
    subscription_id: int
    month: date
    tariff_window: str
    seconds: int
    octets: int
    gross_micros: int
    tax_micros: int
    currency: str
    usage_charge_ids: tuple[int, ...]
    billed_this_month: bool
    tax_rate_ppm: int | None = None
    """Its plan's own; None: the billing profile's."""

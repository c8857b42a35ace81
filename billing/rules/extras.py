"""What a bill takes of charges and discounts beside the plan (rules I1, B11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from billing.model.charges import ChargeKind, Extra, UnbilledUsage
from billing.model.money import Money
from billing.model.profile import BillingProfile
from billing.rules.bill_run import cycles_until
from billing.rules.cycles import Cycle, partial_cycle

PPM = 1_000_000
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A price on a bill, negative for a discount, for the local days of `cycle`; `tax_rate_ppm`
    None: the profile's (rule I1)."""

    text: str
    price: Money
    extra: Extra | None = None
    cycle: Cycle | None = None
    usage: UnbilledUsage | None = None
    tax_rate_ppm: int | None = None


def lines(
    plan_text: str,
    plan_price: Money,
    extras: Sequence[Extra],
    profile: BillingProfile,
    billed: Cycle,
    tax_rate_ppm: int | None = None,
) -> list[PricedLine]:
    """The plan's share of the cycle, then what falls on this bill of each extra, in their order.

    A recurring charge is billed by the day up to the cycle's end, also for days before it that no
    bill holds yet. Discounts follow one another: each takes its share of what is left.
    `tax_rate_ppm`: the plan's own, which discounts have as well (rule I1).
    """
    found = [PricedLine(plan_text, plan_price, tax_rate_ppm=tax_rate_ppm)]
    left = plan_price
    for extra in extras:
        if extra.kind is ChargeKind.DISCOUNT:
            line = _discount(extra, left, billed, tax_rate_ppm)
            left = left + line.price if line else left
        elif extra.kind is ChargeKind.RECURRING:
            line = _recurring(extra, profile, billed, plan_price.currency)
        else:
            line = _one_off(extra, billed, plan_price.currency)
        if line is not None:
            found.append(line)
    return found


def billed(extras: Sequence[Extra], on_bill: Sequence[PricedLine]) -> list[Extra]:
    """The extras as they are once a bill holds these lines."""
    until = {
        line.extra.charge_id: line.cycle.next_first_day
        for line in on_bill
        if line.extra is not None and line.cycle is not None
    }
    return [
        replace(one, billed_until=until[one.charge_id]) if one.charge_id in until else one
        for one in extras
    ]


def waiting(
    extras: Sequence[Extra], profile: BillingProfile, until: date, currency: str, *, one_off: bool
) -> list[PricedLine]:
    """Charges of days before the local day `until` that no bill holds, where none of a cycle comes
    any more; with `one_off` only those that are charged once."""
    days = Cycle(until - _ONE_DAY, until)
    found = [
        _one_off(extra, days, currency)
        if extra.kind is ChargeKind.ONE_OFF
        else _recurring(extra, profile, days, currency)
        for extra in extras
        if extra.kind is ChargeKind.ONE_OFF or (extra.kind is ChargeKind.RECURRING and not one_off)
    ]
    return [line for line in found if line is not None]


def none_before(extras: Sequence[Extra], day: date | None) -> list[Extra]:
    """The same, but no recurring charge accrues before a local day: another profile held then, or
    billing was on hold (rules B14, P10)."""
    if day is None:
        return list(extras)
    return [
        replace(one, billed_until=max(day, one.billed_until or day))
        if one.kind is ChargeKind.RECURRING and one.starts_on < day
        else one
        for one in extras
    ]


def _recurring(
    extra: Extra, profile: BillingProfile, billed: Cycle, currency: str
) -> PricedLine | None:
    first = max(extra.starts_on, extra.billed_until or extra.starts_on)
    until = min(billed.next_first_day, extra.ends_on or billed.next_first_day)
    if first >= until:
        return None
    price = Money(0, currency)
    for cycle in cycles_until(profile, first, until):
        whole = Money(extra.price_micros, currency)
        price += partial_cycle(whole, cycle.first_day, profile, cycle.next_first_day).amount
    text, days = f"{extra.text}, {first} to {until}", Cycle(first, until)
    return PricedLine(text, price, extra, days, tax_rate_ppm=extra.tax_rate_ppm)


def _one_off(extra: Extra, billed: Cycle, currency: str) -> PricedLine | None:
    if extra.billed_until is not None or extra.starts_on >= billed.next_first_day:
        return None
    day = Cycle(extra.starts_on, extra.starts_on + _ONE_DAY)
    price = Money(extra.price_micros, currency)
    return PricedLine(extra.text, price, extra, day, tax_rate_ppm=extra.tax_rate_ppm)


def _discount(
    extra: Extra, left: Money, billed: Cycle, tax_rate_ppm: int | None
) -> PricedLine | None:
    first = max(extra.starts_on, billed.first_day)
    until = min(billed.next_first_day, extra.ends_on or billed.next_first_day)
    days = (until - first).days
    taken = left.prorated(extra.discount_ppm * max(days, 0), PPM * billed.days)
    if not taken.amount_micros:
        return None
    return PricedLine(extra.text, -taken, extra, Cycle(first, until), tax_rate_ppm=tax_rate_ppm)

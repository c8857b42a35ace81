"""What a price comes to with its tax, in amounts that can be paid (rules M2, I1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.model.profile import BillingProfile

_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Charge:
    """`total` is paid, in minor units; `net` + `tax` + `rounding` make it up exactly."""

    total: Money
    net: Money
    tax: Money
    rounding: Money


@dataclass(frozen=True, slots=True)
class Taxed:
    """A line's price without tax, and its part of the tax of its rate."""

    net: Money
    tax: Money


def taxed_as(profile: BillingProfile, plan: PlanTerms | None) -> BillingProfile:
    """The profile, with the tax rate and the tax point of its own that a plan may have (rules I1,
    I6)."""
    if plan is None:
        return profile
    return replace(
        profile,
        tax_rate_ppm=rate_of(plan.tax_rate_ppm, profile),
        tax_point=profile.tax_point if plan.tax_point is None else plan.tax_point,
    )


def rate_of(own_ppm: int | None, profile: BillingProfile) -> int:
    """The rate that something has of its own, else the profile's (rule I1)."""
    return profile.tax_rate_ppm if own_ppm is None else own_ppm


def contained_tax(amount: Money, tax_rate_ppm: int) -> Money:
    """The tax in an amount that contains it, to the micro, half-up: usage is rated with its tax
    (rules M2, P3)."""
    whole = _PPM + tax_rate_ppm
    sign = -1 if amount.amount_micros < 0 else 1
    numerator = 2 * abs(amount.amount_micros) * tax_rate_ppm + whole
    return Money(sign * (numerator // (2 * whole)), amount.currency)


def due_by_payment(tax_micros: int, paid_micros: int, total_micros: int) -> int:
    """How much of a bill's tax is due when so much of its total is paid, where its tax point is the
    payment (rule I6): the paid share, towards zero, and all of it with the last of the total."""
    if paid_micros >= total_micros:
        return tax_micros
    return tax_micros * paid_micros // total_micros


def due_by_recovery(
    tax_micros: int, lost_micros: int, before_micros: int, amount_micros: int
) -> int:
    """How much tax is due when `amount_micros` comes in of a write-off of `lost_micros` that had
    released `tax_micros`, after `before_micros` had come in: the difference of the shares, towards
    zero, so that with the last of it all is due (rules I5, I6)."""
    after = due_by_payment(tax_micros, before_micros + amount_micros, lost_micros)
    return after - due_by_payment(tax_micros, before_micros, lost_micros)


def charge_all(
    prices: Sequence[Money], tax_rate_ppm: int, *, inclusive: bool
) -> tuple[Charge, tuple[Money, ...]]:
    """The charge for several prices of one tax rate, taxed as their sum, and the net of each
    (rule I1); at least one price."""
    whole = charge(sum(prices[1:], prices[0]), tax_rate_ppm, inclusive=inclusive)
    if not inclusive:
        return whole, tuple(prices)
    nets = [price - price.prorated(tax_rate_ppm, _PPM + tax_rate_ppm) for price in prices]
    # The tax of the sum, rounded once, decides; the first and largest line takes the difference.
    nets[0] += whole.net - sum(nets[1:], nets[0])
    return whole, tuple(nets)


def charge_rates(
    prices: Sequence[Money], rates_ppm: Sequence[int], *, inclusive: bool
) -> tuple[Charge, tuple[Taxed, ...]]:
    """The charge for several prices, each of its tax rate: the prices of one rate are taxed as
    their sum, and the total is rounded once (rules I1, M2). With it the parts of each price, in
    their order; at least one price."""
    nothing = Money(0, prices[0].currency)
    taxed: dict[int, Taxed] = {}
    for rate_ppm in dict.fromkeys(rates_ppm):
        places = [place for place, one in enumerate(rates_ppm) if one == rate_ppm]
        own = [prices[place] for place in places]
        whole, nets = charge_all(own, rate_ppm, inclusive=inclusive)
        if inclusive:
            taxes = [price - net for price, net in zip(own, nets, strict=True)]
        else:
            taxes = [price.prorated(rate_ppm, _PPM) for price in own]
            taxes[0] += whole.tax - sum(taxes[1:], taxes[0])
        taxed |= dict(zip(places, map(Taxed, nets, taxes), strict=True))
    net = sum((one.net for one in taxed.values()), nothing)
    tax = sum((one.tax for one in taxed.values()), nothing)
    total = (net + tax).rounded()
    whole = Charge(total, net, tax, total - net - tax)
    return whole, tuple(taxed[place] for place in range(len(prices)))


def charge(price: Money, tax_rate_ppm: int, *, inclusive: bool) -> Charge:
    """The charge for a price. Tax and total are rounded half-up to the minor unit; what that
    adds or takes goes to the rounding account (rule M2)."""
    if inclusive:
        tax = price.prorated(tax_rate_ppm, _PPM + tax_rate_ppm)
        net = price - tax
    else:
        tax = price.prorated(tax_rate_ppm, _PPM)
        net = price
    total = (net + tax).rounded()
    return Charge(total, net, tax, total - net - tax)

"""What a price comes to with its tax, in amounts that can be paid (rules M2, I1)."""

from __future__ import annotations

from dataclasses import dataclass

from billing.model.money import Money

_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Charge:
    """`total` is paid, in minor units; `net` + `tax` + `rounding` make it up exactly."""

    total: Money
    net: Money
    tax: Money
    rounding: Money


def contained_tax(amount: Money, tax_rate_ppm: int) -> Money:
    """The tax in an amount that contains it, to the micro, half-up: usage is rated with its tax
    (rules M2, P3)."""
    whole = _PPM + tax_rate_ppm
    sign = -1 if amount.amount_micros < 0 else 1
    numerator = 2 * abs(amount.amount_micros) * tax_rate_ppm + whole
    return Money(sign * (numerator // (2 * whole)), amount.currency)


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

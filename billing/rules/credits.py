"""What a credit note takes back of a bill's net, tax and rounding (rules I2, M2)."""

from __future__ import annotations

from billing.model.money import Money
from billing.rules.taxes import Charge


def credited(bill: Charge, before: Money, amount: Money) -> Charge:
    """The parts of a credit of `amount`, when credit notes have taken `before` back already.

    Parts are differences of what is credited in all: notes that add up to the bill take back
    exactly what it charged. A bill is never credited twice: ValueError beyond its total.
    """
    after = before + amount
    if not 0 <= before.amount_micros < after.amount_micros <= bill.total.amount_micros:
        raise ValueError(f"{amount} after {before} of a bill of {bill.total}")
    upto, since = _share(bill, after), _share(bill, before)
    return Charge(
        amount, upto.net - since.net, upto.tax - since.tax, upto.rounding - since.rounding
    )


def credited_usage(net_left: Money, net: Money, usage_left: Money, *, of_days: bool) -> Money:
    """What a credit of `net`, of the `net_left` of a bill, takes back of the usage in it, of which
    `usage_left` was not taken back yet: its share of the net that is left, so that all of it is
    gone with the last credit (rule I2). A credit for days (`of_days`) takes none, as usage was
    had, unless nothing else is left."""
    nothing = Money(0, net.currency)
    rest = net_left - net
    if not rest.amount_micros:
        return usage_left
    least = max(nothing, usage_left - rest, key=lambda one: one.amount_micros)
    if of_days or usage_left.amount_micros <= 0:
        return least
    share = usage_left.prorated(net.amount_micros, net_left.amount_micros)
    return max(least, share, key=lambda one: one.amount_micros)


def _share(bill: Charge, total: Money) -> Charge:
    """The bill's parts for so much of its total; the rounding comes with the last of it."""
    if total == bill.total:
        return bill
    tax = bill.tax.prorated(total.amount_micros, bill.total.amount_micros)
    return Charge(total, total - tax, tax, Money(0, total.currency))

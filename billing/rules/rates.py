"""What credit notes take back of a bill that has several tax rates (rules I1, I2, M2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from billing.model.credits import RateShare
from billing.model.documents import TaxTotal
from billing.model.money import Money
from billing.rules.taxes import Charge


def charged_rates(totals: Sequence[TaxTotal], rounding_micros: int) -> list[RateShare]:
    """A bill by its rates; what it was rounded by belongs to the largest."""
    largest = max(totals, key=lambda one: one.net_micros, default=None)
    return [
        RateShare(
            one.tax_rate_ppm,
            one.net_micros,
            one.tax_micros,
            rounding_micros if one is largest else 0,
        )
        for one in totals
    ]


def left_of_rates(charged: Sequence[RateShare], taken: Sequence[RateShare]) -> list[RateShare]:
    """What credit notes have left of each rate of a bill."""
    return [
        RateShare(
            one.tax_rate_ppm,
            one.net_micros - sum(t.net_micros for t in taken if _same(t, one)),
            one.tax_micros - sum(t.tax_micros for t in taken if _same(t, one)),
            one.rounding_micros - sum(t.rounding_micros for t in taken if _same(t, one)),
        )
        for one in charged
    ]


def credited_rates(
    left: Sequence[RateShare], amount: Money, weights: Mapping[int, Fraction] | None = None
) -> list[RateShare]:
    """What a credit of `amount` takes of each rate, of which so much is left: by what is left of
    them, or by `weights`, with their tax, for what is not served any more.

    No rate gives more than it has, and a credit of all that is left takes exactly that. Parts are
    in minor units but the last. ValueError beyond what is left.
    """
    rest_micros = amount.amount_micros
    whole_micros = sum(one.total_micros for one in left)
    if not 0 < rest_micros <= whole_micros:
        raise ValueError(f"{amount} of {whole_micros} that is left of all rates")
    if rest_micros == whole_micros:
        return [one for one in left if one.net_micros or one.tax_micros or one.rounding_micros]
    found = []
    open_rates = [one for one in left if one.total_micros > 0]
    for place, one in enumerate(open_rates):
        room_micros = sum(other.total_micros for other in open_rates[place + 1 :])
        share = _weight(one, weights) / (_all(open_rates[place:], weights) or 1)
        wished = Money(rest_micros, amount.currency).prorated(share.numerator, share.denominator)
        part_micros = max(wished.amount_micros, rest_micros - room_micros)
        part_micros = min(part_micros, one.total_micros)
        rest_micros -= part_micros
        if part_micros:
            found.append(_part(one, Money(part_micros, amount.currency)))
    return found


def sum_of(parts: Sequence[RateShare], currency: str) -> Charge:
    """All rates together."""
    net, tax, rounding = (
        Money(micros, currency)
        for micros in (
            sum(one.net_micros for one in parts),
            sum(one.tax_micros for one in parts),
            sum(one.rounding_micros for one in parts),
        )
    )
    return Charge(net + tax + rounding, net, tax, rounding)


def _part(left: RateShare, amount: Money) -> RateShare:
    """The rounding comes with the last of a rate."""
    if amount.amount_micros == left.total_micros:
        return left
    tax = Money(left.tax_micros, amount.currency).prorated(amount.amount_micros, left.total_micros)
    net_micros = amount.amount_micros - tax.amount_micros
    return RateShare(left.tax_rate_ppm, net_micros, tax.amount_micros, 0)


def _weight(one: RateShare, weights: Mapping[int, Fraction] | None) -> Fraction:
    if weights is None:
        return Fraction(one.total_micros)
    return weights.get(one.tax_rate_ppm, Fraction(0))


def _all(rates: Sequence[RateShare], weights: Mapping[int, Fraction] | None) -> Fraction:
    return sum((_weight(one, weights) for one in rates), Fraction(0))


def _same(one: RateShare, other: RateShare) -> bool:
    return one.tax_rate_ppm == other.tax_rate_ppm

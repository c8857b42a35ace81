"""The totals of bills and credit notes, from their lines (rules I1, I2)."""

from __future__ import annotations

from collections.abc import Sequence

from billing.model.documents import DocumentLine, TaxTotal
from billing.model.money import Money

_PPM = 1_000_000


def tax_totals(
    lines: Sequence[DocumentLine], tax_micros: int, currency: str
) -> tuple[TaxTotal, ...]:
    """Net and tax of each rate, the lowest rate first; the taxes add up to `tax_micros`.

    Of lines that do not tell theirs each tax is the rate of its net, rounded to the minor unit, and
    what the roundings leave is the highest rate's.
    """
    nets: dict[int, int] = {}
    known: dict[int, int] = {}
    for line in lines:
        rate = line.tax_rate_ppm
        nets[rate] = nets.get(rate, 0) + line.net_micros
        known[rate] = known.get(rate, 0) + (line.tax_micros or 0)
    taxes = known
    if any(line.tax_micros is None for line in lines):
        taxes = {
            rate: Money(net, currency).prorated(rate, _PPM).amount_micros
            for rate, net in nets.items()
        }
    if taxes:
        taxes[max(taxes)] += tax_micros - sum(taxes.values())
    return tuple(
        TaxTotal(tax_rate_ppm=rate, net_micros=nets[rate], tax_micros=taxes[rate])
        for rate in sorted(nets)
    )


def credited_totals(
    bill: Sequence[TaxTotal],
    before: tuple[int, int],
    credit: tuple[int, int],
    currency: str,
) -> tuple[TaxTotal, ...]:
    """What a credit note takes back of each rate of its bill (rule I2): `credit` is its net and
    tax, `before` that of the notes before it, in micros.

    Parts are differences of what is credited in all, so that notes that add up to the bill take
    back of each rate what the bill charged. Rates of which nothing is taken are left out.
    """
    nets = [one.net_micros for one in bill]
    taxes = [one.tax_micros for one in bill]
    after = before[0] + credit[0], before[1] + credit[1]
    parts = zip(
        bill,
        _split(nets, after[0], currency),
        _split(nets, before[0], currency),
        _split(taxes, after[1], currency),
        _split(taxes, before[1], currency),
        strict=True,
    )
    totals = (
        TaxTotal(
            tax_rate_ppm=one.tax_rate_ppm,
            net_micros=net - net_before,
            tax_micros=tax - tax_before,
        )
        for one, net, net_before, tax, tax_before in parts
    )
    return tuple(one for one in totals if one.net_micros or one.tax_micros)


def _split(weights: Sequence[int], amount_micros: int, currency: str) -> list[int]:
    """The amount by weights, each part in whole minor units but the last, which takes what is left;
    an amount that is their sum gives the weights themselves."""
    whole = sum(weights)
    if amount_micros == whole:
        return list(weights)
    parts = [_share(amount_micros, weight, whole, currency) for weight in weights[:-1]]
    return [*parts, amount_micros - sum(parts)]


def _share(amount_micros: int, weight: int, whole: int, currency: str) -> int:
    if whole <= 0:
        return 0
    share = Money(amount_micros, currency).prorated(abs(weight), whole).amount_micros
    return -share if weight < 0 else share

"""The totals of a bill, from its lines (rule I1)."""

from __future__ import annotations

from collections.abc import Sequence

from billing.model.documents import DocumentLine, TaxTotal
from billing.model.money import Money

_PPM = 1_000_000


def tax_totals(
    lines: Sequence[DocumentLine], tax_micros: int, currency: str
) -> tuple[TaxTotal, ...]:
    """Net and tax of each rate, the lowest rate first; the taxes add up to `tax_micros`.

    With several rates each tax is the rate of its net, rounded to the minor unit, and what the
    roundings leave is the highest rate's.
    """
    nets: dict[int, int] = {}
    for line in lines:
        nets[line.tax_rate_ppm] = nets.get(line.tax_rate_ppm, 0) + line.net_micros
    taxes = {
        rate: Money(net, currency).prorated(rate, _PPM).amount_micros for rate, net in nets.items()
    }
    if taxes:
        taxes[max(taxes)] += tax_micros - sum(taxes.values())
    return tuple(
        TaxTotal(tax_rate_ppm=rate, net_micros=nets[rate], tax_micros=taxes[rate])
        for rate in sorted(nets)
    )

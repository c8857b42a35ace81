"""How pay-as-you-go enters the books (rules M2, P2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from billing.model.books import UsageEntry, UsageOfDay
from billing.model.money import Money
from billing.rules.taxes import contained_tax


def usage_entries(usage: Sequence[UsageOfDay]) -> list[UsageEntry]:
    """An entry a wallet and day; `usage` comes in the order of these.

    Prices of pay-as-you-go contain tax. It is owed at once where the wallet pays for good, and with
    the bill, as that counts it, where one will hold the usage.
    """
    return [_entry(list(own)) for _, own in groupby(usage, _place)]


def _place(one: UsageOfDay) -> tuple[object, ...]:
    return one.customer_id, one.wallet_id, one.local_day


def _entry(usage: list[UsageOfDay]) -> UsageEntry:
    pieces = tuple(
        (one, contained_tax(Money(one.gross_micros, one.currency), one.tax_rate_ppm).amount_micros)
        for one in usage
    )
    first = usage[0]
    return UsageEntry(
        customer_id=first.customer_id,
        org_id=first.org_id,
        wallet_id=first.wallet_id,
        currency=first.currency,
        local_day=first.local_day,
        gross_micros=sum(one.gross_micros for one in usage),
        tax_micros=sum(tax for one, tax in pieces if not one.to_bill),
        unbilled_tax_micros=sum(tax for one, tax in pieces if one.to_bill),
        pieces=pieces,
    )

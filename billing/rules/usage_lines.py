"""What a bill says of pay-as-you-go (rules I1, M2, P2, P11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from billing.model.charges import UnbilledUsage
from billing.model.money import Money
from billing.model.profile import BillIn, BillingProfile, Payment
from billing.rules.cycles import Cycle, next_month
from billing.rules.extras import PricedLine
from billing.rules.taxes import Charge, Taxed, charge_rates, contained_tax, rate_of
from billing.rules.words import octet_words, second_words


@dataclass(frozen=True, slots=True)
class UsageShare:
    """Of a bill, in micros: what was rated and the tax in it, what the lines of usage say net, and
    whether it is owed from now on or `paid_micros` of the total are paid already (rule P11)."""

    micros: int = 0
    tax_micros: int = 0
    net_micros: int = 0
    owed: bool = False
    paid_micros: int = 0


def usage_until(profile: BillingProfile, cycle: Cycle) -> date:
    """The local day before which a cycle's bill holds the usage that no earlier one does: the day 1
    on which it is issued (rule B7), in advance and in arrears. All days before have ended then."""
    if profile.bill_in is BillIn.ADVANCE:
        return cycle.first_day.replace(day=1)
    ends = cycle.next_first_day
    return ends if ends.day == 1 else next_month(ends)


def usage_lines(
    usage: Sequence[UnbilledUsage], profile: BillingProfile, until: date, joined_on: date
) -> list[PricedLine]:
    """Lines for the usage of months before the local day `until`: one a month and tariff window.

    A line's price is what was rated, rounded once (rule M2), with or without its tax as the
    profile's prices are. What comes to nothing waits for more.
    """
    return [
        PricedLine(
            _text(one, until, joined_on),
            _price(one, profile),
            usage=one,
            tax_rate_ppm=one.tax_rate_ppm,
        )
        for one in usage
        if one.month < until and _price(one, profile).amount_micros
    ]


def fitting(lines: Sequence[PricedLine], usage: list[PricedLine]) -> list[PricedLine]:
    """The lines of usage that fit on a bill with `lines`: none where a charge that was corrected
    downwards would make it a bill of less than nothing."""
    total = sum(line.price.amount_micros for line in (*lines, *usage))
    return usage if total >= 0 else []


def left_over(usage: Sequence[UnbilledUsage], on_bill: Sequence[PricedLine]) -> list[UnbilledUsage]:
    """What no bill holds once one holds these lines."""
    held = [line.usage for line in on_bill]
    return [one for one in usage if one not in held]


def usage_share(
    lines: Sequence[PricedLine], nets: Sequence[Money], profile: BillingProfile, total: Money
) -> UsageShare:
    """The part of usage in a bill of these lines, their nets and this total.

    Prepaid usage was paid from the wallet as it was used: by so much as it makes the total larger,
    the bill is paid from the start, so that nothing new is owed (rule P11).
    """
    used = [line.usage for line in lines if line.usage is not None]
    if not used:
        return UsageShare()
    others = [line for line in lines if line.usage is None]
    owed = profile.payment is Payment.POSTPAID
    paid_micros = 0
    if not owed:
        without = Money(0, total.currency)
        if others:
            without = charged(others, profile)[0].total
        paid_micros = max(0, (total - without).amount_micros)
    pairs = zip(lines, nets, strict=True)
    return UsageShare(
        micros=sum(one.gross_micros for one in used),
        tax_micros=sum(one.tax_micros for one in used),
        net_micros=sum(net.amount_micros for line, net in pairs if line.usage is not None),
        owed=owed,
        paid_micros=paid_micros,
    )


def charged(
    lines: Sequence[PricedLine], profile: BillingProfile
) -> tuple[Charge, tuple[Taxed, ...]]:
    """What a bill of these lines comes to, and the parts of each (rule I1)."""
    return charge_rates(
        [line.price for line in lines],
        [rate_of(line.tax_rate_ppm, profile) for line in lines],
        inclusive=profile.tax_inclusive,
    )


def _price(usage: UnbilledUsage, profile: BillingProfile) -> Money:
    gross = Money(usage.gross_micros, usage.currency)
    if profile.tax_inclusive:
        return gross.rounded()
    return (gross - contained_tax(gross, rate_of(usage.tax_rate_ppm, profile))).rounded()


def _text(usage: UnbilledUsage, until: date, joined_on: date) -> str:
    first = max(usage.month, joined_on) if joined_on < next_month(usage.month) else usage.month
    name = f"Usage in {usage.tariff_window}" if usage.tariff_window else "Usage"
    amounts = f"{octet_words(usage.octets)}, {second_words(usage.seconds)}"
    return f"{name}, {first} to {min(until, next_month(usage.month))}: {amounts}"

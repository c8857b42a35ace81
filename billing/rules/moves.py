"""What a change of billing profile does to bills that are issued already (rules B6, B14), and
what it asks for (rule P4)."""

from __future__ import annotations

from datetime import date

from billing.model.money import MICROS_PER_UNIT, Money, minor_digits
from billing.model.profile import BillIn, BillingKind, BillingProfile, Payment
from billing.rules.cycles import Cycle, cycle_of


def days_given_back(
    billed: Cycle,
    today: date,
    old: BillingProfile,
    new: BillingProfile,
    *,
    packaged: bool,
    plan_stays: bool = True,
) -> int:
    """How many days of a bill of `old` are credited when `new` takes over on the local day `today`.

    All of a cycle that has not begun, unless the new profile bills the same for the same plan. Of
    the running one none, as it is served to its end and bridged (B6); but under a daily profile it
    is served no longer, so the days after today, unless it came with a package (`packaged`), which
    stays.
    """
    if billed.first_day > today:
        return 0 if plan_stays and _bills_the_same(billed, old, new) else billed.days
    if new.kind is BillingKind.DAILY and not packaged:
        return max(0, (billed.next_first_day - today).days - 1)
    return 0


def becomes_prepaid(old: BillingProfile, new: BillingProfile) -> bool:
    """Whether the move asks for an initial top-up (rule P4)."""
    return old.payment is Payment.POSTPAID and new.payment is Payment.PREPAID


def payable(amount: Money) -> Money:
    """The least that can be paid and is not less than `amount`: whole minor units (rule M2)."""
    rounded = amount.rounded()
    if rounded.amount_micros >= amount.amount_micros:
        return rounded
    return rounded + Money(MICROS_PER_UNIT // 10 ** minor_digits(amount.currency), amount.currency)


def bills_by_itself(profile: BillingProfile) -> bool:
    """Whether its cycles are billed without anybody asking (rule B7)."""
    return profile.kind is BillingKind.MONTHLY and profile.automatic_bill


def billed_from(old: BillingProfile, today: date, before: date | None) -> date | None:
    """The first local day that the new profile may bill: its own first one, but what an automatic
    profile has left unbilled is billed as well (B6)."""
    return before if bills_by_itself(old) else today


def _bills_the_same(billed: Cycle, old: BillingProfile, new: BillingProfile) -> bool:
    return (
        new.kind is BillingKind.MONTHLY
        and new.bill_in is BillIn.ADVANCE
        and cycle_of(billed.first_day, new) == cycle_of(billed.first_day, old)
        and (new.tax_rate_ppm, new.tax_inclusive) == (old.tax_rate_ppm, old.tax_inclusive)
    )

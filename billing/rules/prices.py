"""When a new price takes effect for who is there already (rule B18)."""

from __future__ import annotations

from datetime import date, timedelta

from billing.model.profile import BillingKind, BillingProfile
from billing.rules.cycles import cycle_start


def starts_on(
    profile: BillingProfile,
    effective_on: date,
    told_on: date,
    notice_days: int,
    billed_until: date | None,
    *,
    dearer: bool,
) -> date:
    """The first local day of the new price for a customer.

    Of monthly ones a cycle's first day, the next that begins on `effective_on` or later, whole
    `notice_days` after the day on which it was told, and is not billed yet. Of daily ones the day
    from which packages cost it. What is not dearer needs no notice.
    """
    earliest = effective_on
    if dearer:
        earliest = max(earliest, told_on + timedelta(days=notice_days))
    if profile.kind is BillingKind.DAILY:
        return earliest
    return cycle_start(max(earliest, billed_until or earliest), profile)

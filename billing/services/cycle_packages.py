"""The packages of billing cycles: with the bill in advance, before it in arrears (rules B6, B7)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from billing.model.bills import Billable
from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.model.profile import BillIn, BillingProfile
from billing.rules.bill_run import cycles_to_serve, first_unbilled
from billing.rules.cycles import END_OF_TIME, day_start, local_day, partial_cycle
from billing.services.issuing import owner_of
from billing.services.packages import Window, entitle
from billing.store import customers
from billing.store.guard import Transaction


def unbilled_from(one: Billable, profile: BillingProfile, time_zone: str) -> date:
    """The first local day that automatic bills of the subscription have not covered."""
    joined_on = max(local_day(one.created_at, time_zone), one.billed_from or date.min)
    return first_unbilled(profile, joined_on, one.billed_until, one.bills_from)


def window(one: Billable, first_day: date, next_first_day: date, time_zone: str) -> Window | None:
    """When the package of these local days holds: not before the subscription was made, nor where
    one that came without a bill holds already; None: nothing of them is left."""
    begins = max(day_start(first_day, time_zone), one.created_at)
    if one.packages_until is not None:
        begins = max(begins, day_start(one.packages_until, time_zone))
    ends = day_start(next_first_day, time_zone)
    return Window(follows=False, valid_from=begins, valid_until=ends) if begins < ends else None


def bring(
    tx: Transaction,
    due: Iterable[tuple[Billable, BillingProfile, PlanTerms]],
    now: datetime,
    time_zone: str,
) -> None:
    """The time and data of cycles that are billed in arrears, each once, a day before it begins, so
    that it is there at its first second; none of cycles that were over before anybody looked. The
    customers are locked."""
    until: dict[tuple[int, int], date] = {}
    moments: dict[tuple[int, int], datetime] = {}
    for one, profile, terms in due:
        if profile.bill_in is not BillIn.ARREARS or not terms.is_limited or one.is_closed:
            continue
        first = unbilled_from(one, profile, time_zone)
        first = max(first, one.packages_until or first)
        for cycle in cycles_to_serve(profile, first, local_day(now, time_zone)):
            holds = window(one, cycle.first_day, cycle.next_first_day, time_zone)
            if holds is None or holds.valid_from is None:
                continue
            price = Money(terms.price_micros, terms.currency)
            share = partial_cycle(price, cycle.first_day, profile).amount
            entitle(tx, owner_of(one), terms, holds, share.amount_micros, now)
            key = one.customer_id, one.subscription_id
            until[key] = cycle.next_first_day
            moments[key] = min(moments.get(key, END_OF_TIME), max(holds.valid_from, now))
    customers.set_packages_until(tx, until)
    customers.look_again(tx, moments)

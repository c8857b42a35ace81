"""Fair use: who has used so much of a period gets a lower speed until it ends (rule Q2).

A period is a package, or the billing cycle of a monthly service without one. The speeds that are
left are kept with the subscription, so that a login costs nothing for it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from billing.model.account import Account
from billing.model.fair_use import FairUseStep, fair_use_steps
from billing.model.plan import Entitlement, PlanTerms
from billing.model.profile import BillingKind
from billing.rules.cycles import cycle_at, cycle_of, day_start, local_day
from billing.rules.fair_use import slowed, step_in_force
from billing.services.context import Context
from billing.store import catalog
from billing.store import fair_use as store
from billing.store.guard import Transaction
from billing.store.tables import Subscription


def recap(tx: Transaction, row: Subscription, account: Account, now: datetime) -> bool:
    """Set the speeds that the step in force leaves, or lift them; whether anything changed."""
    current = _in_use(account, now)
    plan = account.plan if current is None else account.package_plan
    step = None if plan is None else _step(tx, account, plan, current, now)
    if step is None or plan is None:
        left: tuple[int | None, int | None, int | None] = (None, None, None)
    else:
        left = (
            slowed(row.speed_up_kbps or plan.speed_up_kbps, step),
            slowed(row.speed_down_kbps or plan.speed_down_kbps, step),
            step.after_octets,
        )
    if left == (row.capped_up_kbps, row.capped_down_kbps, row.capped_by_octets):
        return False
    row.capped_up_kbps, row.capped_down_kbps, row.capped_by_octets = left
    return True


def period_end(account: Account, now: datetime) -> datetime | None:
    """When what is counted begins anew; None: at no known instant."""
    current = _in_use(account, now)
    if current is not None:
        return current.valid_until
    if account.profile.kind is not BillingKind.MONTHLY:
        return None
    cycle = cycle_at(now, account.profile, account.time_zone)
    return day_start(cycle.next_first_day, account.time_zone)


def passed(context: Context, now: datetime, *, since: datetime) -> Collection[int]:
    """Customers whose use has brought them past a step, or whose period has begun anew; of those
    with a session that was accounted for since `since`."""
    with context.transaction() as tx:
        operator = catalog.operator(tx)
        if operator is None:
            return []
        today = local_day(now, operator.time_zone)
        first_days = {
            profile_id: cycle_of(today, profile).first_day
            for profile_id, profile in store.monthly_profiles(tx).items()
        }
        found = store.candidates(tx, first_days=first_days, since=since, now=now)
    return sorted({one.customer_id for one in found if _differs(one)})


def _in_use(account: Account, now: datetime) -> Entitlement | None:
    first = account.entitlements[0] if account.entitlements else None
    running = first is not None and first.valid_from is not None and first.valid_from <= now
    return first if running else None


def _step(
    tx: Transaction,
    account: Account,
    plan: PlanTerms,
    current: Entitlement | None,
    now: datetime,
) -> FairUseStep | None:
    steps = fair_use_steps(plan.fair_use)
    if not steps or (current is None and account.profile.kind is not BillingKind.MONTHLY):
        return None
    cycle = cycle_at(now, account.profile, account.time_zone)
    used = store.used_octets(
        tx,
        account.customer_id,
        account.subscription_id,
        entitlement_id=0 if current is None else current.entitlement_id,
        since=cycle.first_day if current is None else None,
    )
    return step_in_force(steps, used)


def _differs(one: store.Candidate) -> bool:
    step = step_in_force(fair_use_steps(one.fair_use), one.used_octets)
    return (step.after_octets if step else None) != one.capped_by_octets

"""A customer pauses its service itself, within what its plan allows (rule S3)."""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.errors import NotFound, Refused
from billing.model.money import Money
from billing.model.plan_changes import PauseOffer
from billing.model.profile import BillingKind
from billing.rules.cycles import cycle_of, local_day
from billing.rules.pauses import YEAR, allowed, free_days, own_problem
from billing.services import pauses
from billing.services.context import Context
from billing.services.credits import note_credit
from billing.services.customers import changing, finish
from billing.services.issuing import operator_of
from billing.store import catalog, customers, entitlements, tables
from billing.store import pauses as store
from billing.store.guard import Transaction

_NONE = timedelta(0)


def offer(context: Context, subscription_id: int, now: datetime) -> PauseOffer:
    """What a pause is good for. Raises NotFound."""
    with context.transaction() as tx:
        row = customers.get_subscription(tx, subscription_id)
        if row is None:
            raise NotFound(
                f"no subscription has the number {subscription_id}", field="subscription"
            )
        return _offer(tx, row, now)


def pause(context: Context, subscription_id: int, now: datetime) -> None:
    """Raises NotFound, Refused (the plan has no pause, or no more of it; paused already)."""
    with changing(context, subscription_id) as (tx, row):
        if (reason := _offer(tx, row, now).refused) is not None:
            raise Refused(reason, field="subscription")
        pauses.begin(row, now)
        finish(context, tx, row, "subscription.pause", now, {})


def end(context: Context, subscription_id: int, now: datetime) -> PauseOffer:
    """End a pause; what staff has suspended stays so. Returns what it was good for. Raises
    NotFound, Refused (it is not paused)."""
    with changing(context, subscription_id) as (tx, row):
        if row.paused_at is None:
            raise Refused("your service is not paused", field="subscription")
        was = _offer(tx, row, now)
        credited = pauses.end(tx, row, now)
        finish(context, tx, row, "subscription.resume", now, {})
        for bill, note in credited:
            note_credit(tx, context, bill, note, now)
        return was


def _offer(tx: Transaction, row: tables.Subscription, now: datetime) -> PauseOffer:
    monthly = customers.effective_profile(tx, row).kind is BillingKind.MONTHLY
    used_seconds, used_days = store.used(tx, row, now - YEAR)
    paused_at = row.paused_at
    good_for, day = _NONE, None
    if monthly:
        terms = None
        if row.plan_version_id is not None:
            terms = catalog.get_terms(tx, row.plan_version_id)
        days = terms.pause_days if terms is not None else None
        used = timedelta(days=used_days)
        zone = operator_of(tx).time_zone
        free = None if paused_at is None else free_days(paused_at, now, zone, days, used_days)
        good_for = _NONE if free is None else timedelta(days=free.days)
        if terms is not None:
            cycle = cycle_of(local_day(now, zone), customers.effective_profile(tx, row))
            price = Money(terms.price_micros, terms.currency)
            day = price.prorated(1, cycle.days).amount_micros
    else:
        since = now if paused_at is None else paused_at
        days = _most_of_packages(tx, row, since)
        used = timedelta(seconds=used_seconds)
        if paused_at is not None:
            good_for = min(allowed(days, used), now - paused_at)
    left = allowed(days, used)
    return PauseOffer(
        paused_at=paused_at,
        monthly=monthly,
        allowed_days=days or 0,
        left=left,
        good_for=good_for,
        day_micros=day,
        currency=operator_of(tx).currency,
        refused=own_problem(days or 0, left, monthly=monthly),
    )


def _most_of_packages(tx: Transaction, row: tables.Subscription, since: datetime) -> int | None:
    """The most days a year that a package which had not ended then may stand still."""
    packages = entitlements.open_rows(tx, row.customer_id, row.subscription_id, since)
    terms = catalog.terms_by_version(tx, {one.plan_version_id for one in packages})
    return max((one.pause_days or 0 for one in terms.values()), default=None)

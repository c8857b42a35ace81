"""A pause, and what it was good for when it ends (rule S3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from billing.errors import NotFound, Refused
from billing.model.charges import ChargeKind
from billing.model.credits import CreditNoteView
from billing.model.plan_changes import PauseView
from billing.model.profile import BillingKind
from billing.rules.cycles import Cycle
from billing.rules.extras import PPM
from billing.rules.pauses import YEAR, Standing, allowed, free_days, resumed
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.services.plan_refunds import credit_days
from billing.services.settling import settle
from billing.store import catalog, charges, customers, entitlements, tables
from billing.store import pauses as store
from billing.store.guard import Transaction


def begin(row: tables.Subscription, now: datetime) -> None:
    """Raises Refused where it is paused already."""
    if row.paused_at is not None:
        raise Refused("the subscription is paused already")
    row.paused_at = now


def end(
    tx: Transaction, row: tables.Subscription, now: datetime
) -> list[tuple[tables.Invoice, CreditNoteView]]:
    """End a pause, where there is one; the customer is locked. Daily packages are valid for longer
    by the time that they stood still; a monthly customer's whole days of it are credited, or left
    out of the bill that will hold them. Returns the bills that were credited."""
    if row.paused_at is None:
        return []
    daily = customers.effective_profile(tx, row).kind is BillingKind.DAILY
    stood = _let_stand_still(tx, row, row.paused_at, now) if daily else timedelta(0)
    free = None if daily else _free_days(tx, row, row.paused_at, now)
    store.insert(
        tx,
        tables.ServicePause(
            customer_id=row.customer_id,
            org_id=row.org_id,
            subscription_id=row.subscription_id,
            paused_at=row.paused_at,
            resumed_at=now,
            stood_still_seconds=stood // timedelta(seconds=1),
            credited_days=0 if free is None else free.days,
        ),
    )
    row.paused_at = None
    return [] if free is None else _credit(tx, row, free, now)


def pauses_of(context: Context, subscription_id: int) -> Sequence[PauseView]:
    """Pauses of a subscription that have ended, newest first. Raises NotFound."""
    with context.transaction() as tx:
        row = customers.get_subscription(tx, subscription_id)
        if row is None:
            raise NotFound(
                f"no subscription has the number {subscription_id}", field="subscription"
            )
        return store.of_subscription(tx, row.customer_id, subscription_id)


def _let_stand_still(
    tx: Transaction, row: tables.Subscription, paused_at: datetime, now: datetime
) -> timedelta:
    used = timedelta(seconds=store.used(tx, row, now - YEAR)[0])
    packages = entitlements.open_rows(tx, row.customer_id, row.subscription_id, paused_at)
    terms = catalog.terms_by_version(tx, {one.plan_version_id for one in packages})
    windows = [
        Standing(
            one.valid_from,
            one.valid_until,
            one.follows,
            allowed(terms[one.plan_version_id].pause_days, used),
        )
        for one in packages
    ]
    moved, longest = resumed(windows, paused_at, now)
    for package, window in zip(packages, moved, strict=True):
        package.valid_from, package.valid_until = window.valid_from, window.valid_until
    return longest


def _free_days(
    tx: Transaction, row: tables.Subscription, paused_at: datetime, now: datetime
) -> Cycle | None:
    if row.plan_version_id is None:
        return None
    terms = catalog.get_terms(tx, row.plan_version_id)
    used_days = store.used(tx, row, now - YEAR)[1]
    zone = operator_of(tx).time_zone
    return free_days(paused_at, now, zone, terms.pause_days if terms else None, used_days)


def _credit(
    tx: Transaction, row: tables.Subscription, days: Cycle, now: datetime
) -> list[tuple[tables.Invoice, CreditNoteView]]:
    """What bills hold of the days is credited; of what they do not, a discount takes the plan's
    price off the bill that will."""
    text = f"paused {days.first_day} to {days.next_first_day}"
    credited = credit_days(tx, row, days, text, now)
    charges.insert(
        tx,
        tables.Charge(
            customer_id=row.customer_id,
            org_id=row.org_id,
            subscription_id=row.subscription_id,
            kind=ChargeKind.DISCOUNT.value,
            text=text,
            price_micros=0,
            discount_ppm=PPM,
            starts_on=days.first_day,
            ends_on=days.next_first_day,
            created_at=now,
        ),
    )
    customer = tx.get_one(tables.Customer, row.customer_id)
    settle(tx, customer, row.wallet_id, now)
    return credited

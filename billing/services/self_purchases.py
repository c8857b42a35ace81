"""Purchases of resellers' customers, to look at and to take back (rule R1)."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from billing.errors import NotFound, Refused
from billing.model.self_service import PurchaseUndone, SelfPurchaseView
from billing.services.commands import run_once
from billing.services.context import Context
from billing.services.customers import finish
from billing.services.plan_refunds import give_back_package
from billing.services.reseller_sales import unused_share
from billing.store import customers, resellers, tables
from billing.store import self_service as store
from billing.store.guard import Transaction

_LISTED_MOST = 500


def listed(context: Context, org_id: int, *, limit: int = 50) -> list[SelfPurchaseView]:
    """What the customers of a reseller bought themselves, newest first."""
    with context.transaction() as tx:
        return store.listed(tx, org_id, max(1, min(limit, _LISTED_MOST)))


def show(context: Context, purchase_id: int) -> SelfPurchaseView:
    """One. Raises NotFound."""
    with context.transaction() as tx:
        found = store.find(tx, purchase_id)
        seen = [] if found is None else store.listed(tx, found.org_id, 1, purchase_id)
    if not seen:
        raise NotFound(f"no purchase has the number {purchase_id}", field="purchase")
    return seen[0]


def undo(
    context: Context, purchase_id: int, *, idempotency_key: str, now: datetime
) -> PurchaseUndone:
    """Take back what a customer bought itself by mistake, or with money that did not stay: the
    package ends, its unused share goes back into the customer's wallet, and what resellers earned
    is taken back in the same share.

    By the reseller's staff within its window, later by who is above it. Raises NotFound, Conflict
    and Refused (the window has passed, nothing of it is left, another package follows it).
    """
    context.refuse_cashier()
    with context.transaction() as tx:
        found = store.find(tx, purchase_id)
        if found is None or not resellers.lock_accounts(tx, found.org_id, found.customer_id):
            raise NotFound(f"no purchase has the number {purchase_id}", field="purchase")
        return run_once(
            tx,
            PurchaseUndone,
            customer_id=found.customer_id,
            key=idempotency_key,
            content={"command": "purchase undo", "purchase": purchase_id},
            now=now,
            act=lambda: _undo(context, tx, purchase_id, now),
        )


def _undo(context: Context, tx: Transaction, purchase_id: int, now: datetime) -> PurchaseUndone:
    purchase = store.find(tx, purchase_id)
    row = None if purchase is None else customers.get_subscription(tx, purchase.subscription_id)
    if purchase is None or row is None:
        raise NotFound("the subscription has been moved", field="purchase")
    package = tx.get_one(
        tables.Entitlement,
        {"customer_id": purchase.customer_id, "entitlement_id": purchase.entitlement_id},
        populate_existing=True,
    )
    if purchase.back_at is not None:
        raise Refused(
            f"it was given back on {purchase.back_at:%Y-%m-%d %H:%M} UTC", field="purchase"
        )
    share = unused_share(context, tx, row, package, purchase.bought_at, now)
    lost_micros, back_micros = _given(tx, row, package, share, now)
    detail: dict[str, object] = {"purchase": purchase_id, "back_micros": back_micros}
    finish(context, tx, row, "purchase.undo", now, detail | {"lost_micros": lost_micros})
    return PurchaseUndone(
        customer_id=purchase.customer_id,
        purchase_id=purchase_id,
        org_id=purchase.org_id,
        back_micros=back_micros,
        lost_micros=lost_micros,
        currency=purchase.currency,
    )


def _given(
    tx: Transaction,
    row: tables.Subscription,
    package: tables.Entitlement,
    share: Fraction,
    now: datetime,
) -> tuple[int, int]:
    """What the reseller lost and the customer got, in micros."""
    before = store.earned(tx, package)
    back = give_back_package(tx, row, package, share, now)
    return before - store.earned(tx, package), back.amount_micros

"""What customers of resellers buy themselves, and what these earn by it (rule R1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.model.self_service import SelfPurchaseView
from billing.store import tables
from billing.store.pool import named_query
from billing.store.resellers import call


def earns(tx: Session, org_id: int) -> bool:
    """Whether an organisation is a reseller that earns by it, seen or not."""
    return bool(tx.scalar(select(func.earns_on_self_service_v1(org_id))))


def price_list(tx: Session, org_id: int) -> dict[int, int | None]:
    """The plans that a reseller's customers may buy themselves, with what they pay, in micros;
    None: the plan's price."""
    rows = tx.connection().exec_driver_sql(named_query("self_service_list"), {"org_id": org_id})
    return {row.plan_id: row.retail_micros for row in rows}


def post(
    tx: Session,
    customer_id: int,
    entitlement_id: int,
    paid_micros: int,
    costs: Sequence[int],
    currency: str,
    *,
    memo: str,
    by: str,
    now: datetime,
) -> int:
    """The accounts' side of a purchase (post_self_purchase_v1); returns its number, 0 where nobody
    of the chain earns. The accounts are locked."""
    return call(
        tx,
        "post_self_purchase_v1",
        customer_id,
        entitlement_id,
        paid_micros,
        list(costs),
        currency,
        memo,
        by,
        now,
    )


def take_back(tx: Session, package: tables.Entitlement, now: datetime) -> int:
    """The accounts' side of what the customer got back for a package (take_back_self_purchase_v1);
    returns what its reseller lost by it, in micros. The accounts are locked."""
    return call(
        tx,
        "take_back_self_purchase_v1",
        package.customer_id,
        package.entitlement_id,
        f"given back: package {package.entitlement_id} of customer {package.customer_id}",
        now,
    )


def earned(tx: Session, package: tables.Entitlement) -> int:
    """What its customer's reseller has earned by a package and still has, in micros; 0 for who does
    not see it."""
    row, purchase = tables.SelfPurchaseShare, tables.SelfPurchase
    found = (
        select(func.coalesce(func.sum(row.wallet_micros), 0))
        .join(purchase, purchase.purchase_id == row.purchase_id)
        .where(
            purchase.customer_id == package.customer_id,
            purchase.entitlement_id == package.entitlement_id,
            row.depth == 0,
        )
    )
    return int(tx.scalar(found) or 0)


def find(tx: Session, purchase_id: int) -> tables.SelfPurchase | None:
    row = tables.SelfPurchase
    found = select(row).where(row.purchase_id == purchase_id)
    return tx.scalar(found.execution_options(populate_existing=True))


def listed(
    tx: Session, org_id: int, limit: int, purchase_id: int | None = None
) -> list[SelfPurchaseView]:
    """Of a reseller's customers, newest first; or the one with this number."""
    asked = {"org_id": org_id, "limit": limit, "purchase_id": purchase_id}
    rows = tx.connection().exec_driver_sql(named_query("self_purchases"), asked)
    return [SelfPurchaseView(**row._mapping) for row in rows]

"""What was bought: rows written by sales, metered by charge_usage."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from billing.model.views import EntitlementView
from billing.store import tables
from billing.store.pool import named_query


def insert(tx: Session, row: tables.Entitlement) -> int:
    """Returns the entitlement's id."""
    tx.add(row)
    tx.flush()
    return row.entitlement_id


def open_rows(
    tx: Session, customer_id: int, subscription_id: int, now: datetime
) -> list[tables.Entitlement]:
    """Neither used up nor expired, by id; the customer is locked already."""
    return list(
        tx.scalars(
            select(tables.Entitlement)
            .where(
                tables.Entitlement.customer_id == customer_id,
                tables.Entitlement.subscription_id == subscription_id,
                tables.Entitlement.ended_at.is_(None),
                tables.Entitlement.valid_until.is_(None) | (tables.Entitlement.valid_until > now),
            )
            .order_by(tables.Entitlement.entitlement_id)
            .execution_options(populate_existing=True)
        )
    )


def all_of(tx: Session, customer_id: int) -> list[tables.Entitlement]:
    """Every package of a customer, by id; the customer is locked already."""
    package = tables.Entitlement
    return list(
        tx.scalars(
            select(package)
            .where(package.customer_id == customer_id)
            .order_by(package.entitlement_id)
            .execution_options(populate_existing=True)
        )
    )


def rolling_due(tx: Session, now: datetime, gap: timedelta, settled_after: timedelta) -> list[int]:
    """Customers of whose packages something is to be carried on (rule B4)."""
    rows = tx.connection().exec_driver_sql(
        named_query("rolling_due"), {"now": now, "gap": gap, "settled": now - settled_after}
    )
    return [row.customer_id for row in rows]


def last_bought(tx: Session, customer_id: int, subscription_id: int) -> tables.Entitlement | None:
    """The package that was bought last, over or not; the customer is locked already."""
    package = tables.Entitlement
    return tx.scalar(
        select(package)
        .where(package.customer_id == customer_id, package.subscription_id == subscription_id)
        .order_by(package.entitlement_id.desc())
        .limit(1)
    )


def ending_at(
    tx: Session, customer_id: int, subscription_id: int, ends: datetime
) -> tables.Entitlement | None:
    """The open package that expires at an instant, as a bill's does at its cycle's end; the
    customer is locked already."""
    package = tables.Entitlement
    return tx.scalar(
        select(package).where(
            package.customer_id == customer_id,
            package.subscription_id == subscription_id,
            package.ended_at.is_(None),
            package.valid_until == ends,
        )
    )


def came_until(
    tx: Session, customer_id: int, subscription_id: int, plan_version_id: int, ends: datetime
) -> bool:
    """Whether a package of these terms that expires at an instant was given and not taken back:
    it is open, or used up."""
    package = tables.Entitlement
    found = select(package.entitlement_id).where(
        package.customer_id == customer_id,
        package.subscription_id == subscription_id,
        package.plan_version_id == plan_version_id,
        package.valid_until == ends,
        or_(
            package.ended_at.is_(None),
            package.seconds_left == 0,
            package.octets_left == 0,
        ),
    )
    return tx.scalar(found.limit(1)) is not None


def entitlements_of(
    tx: Session, customer_id: int, subscription_id: int, now: datetime, *, limit: int = 50
) -> list[EntitlementView]:
    """What was bought by `now`, newest first."""
    rows = tx.execute(
        select(tables.Entitlement, tables.Plan.name)
        .join(
            tables.PlanVersion,
            tables.PlanVersion.plan_version_id == tables.Entitlement.plan_version_id,
        )
        .join(tables.Plan, tables.Plan.plan_id == tables.PlanVersion.plan_id)
        .where(
            tables.Entitlement.customer_id == customer_id,
            tables.Entitlement.subscription_id == subscription_id,
            tables.Entitlement.purchased_at <= now,
        )
        .order_by(tables.Entitlement.entitlement_id.desc())
        .limit(limit)
    )
    return [_view(row, name, now) for row, name in rows]


def _view(row: tables.Entitlement, plan_name: str, now: datetime) -> EntitlementView:
    return EntitlementView(
        entitlement_id=row.entitlement_id,
        plan_name=plan_name,
        plan_version_id=row.plan_version_id,
        status=_status(row, now),
        purchased_at=row.purchased_at,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        validity_minutes=row.validity_minutes,
        seconds_total=row.seconds_total,
        seconds_left=row.seconds_left,
        octets_total=row.octets_total,
        octets_left=row.octets_left,
        price_micros=row.price_micros,
        ended_at=row.ended_at,
        carried_seconds=row.carried_seconds,
        carried_octets=row.carried_octets,
        rolls_over=row.rolls_over,
    )


def _status(row: tables.Entitlement, now: datetime) -> str:
    if row.ended_at is not None and row.ended_at <= now:
        return "used_up"
    if row.valid_until is not None and row.valid_until <= now:
        return "expired"
    if row.valid_from is None or row.valid_from > now:
        return "waiting"
    return "running"

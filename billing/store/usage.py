"""Metered usage and what packages still give."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.model.views import DayUsage, EntitlementView
from billing.store import tables
from billing.store.pool import named_query


def days_of(tx: Session, customer_id: int, subscription_id: int, until: date) -> list[DayUsage]:
    """Usage by local day and kind up to a day, newest first."""
    result = tx.connection().exec_driver_sql(
        named_query("usage_days"),
        {"customer_id": customer_id, "subscription_id": subscription_id, "until": until},
    )
    return [DayUsage(**row._mapping) for row in result]


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
    )


def _status(row: tables.Entitlement, now: datetime) -> str:
    if row.ended_at is not None and row.ended_at <= now:
        return "used_up"
    if row.valid_until is not None and row.valid_until <= now:
        return "expired"
    if row.valid_from is None or row.valid_from > now:
        return "waiting"
    return "running"

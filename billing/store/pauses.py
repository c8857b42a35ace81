"""Pauses that have ended (rule S3)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.model.plan_changes import PauseView
from billing.store import tables

_Row = tables.ServicePause


def insert(tx: Session, row: tables.ServicePause) -> None:
    """The customer is locked."""
    tx.add(row)
    tx.flush()


def used(tx: Session, row: tables.Subscription, since: datetime) -> tuple[int, int]:
    """For how many seconds validity stood still, and how many days were credited, in pauses that
    ended since an instant."""
    found = tx.execute(
        select(
            func.coalesce(func.sum(_Row.stood_still_seconds), 0),
            func.coalesce(func.sum(_Row.credited_days), 0),
        ).where(
            _Row.customer_id == row.customer_id,
            _Row.subscription_id == row.subscription_id,
            _Row.resumed_at > since,
        )
    ).one()
    return int(found[0]), int(found[1])


def of_subscription(tx: Session, customer_id: int, subscription_id: int) -> list[PauseView]:
    """Newest first."""
    found = tx.scalars(
        select(_Row)
        .where(_Row.customer_id == customer_id, _Row.subscription_id == subscription_id)
        .order_by(_Row.pause_id.desc())
    )
    return [
        PauseView(
            pause_id=row.pause_id,
            paused_at=row.paused_at,
            resumed_at=row.resumed_at,
            stood_still_seconds=row.stood_still_seconds,
            credited_days=row.credited_days,
        )
        for row in found
    ]

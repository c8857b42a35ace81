"""Housekeeping of the database itself."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.store.pool import named_query


def ensure_partitions(tx: Session, now: datetime) -> int:
    """Make the partitions that the coming weeks need; returns how many were missing."""
    made = tx.connection().exec_driver_sql(named_query("ensure_partitions"), {"now": now})
    return int(made.scalar_one())


def orders_by_state(tx: Session, now: datetime) -> dict[str, int]:
    """Number of orders in each state that has any."""
    rows = tx.connection().exec_driver_sql(named_query("count_orders"), {"now": now})
    return {row.state: row.orders for row in rows}

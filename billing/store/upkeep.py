"""Housekeeping of the database itself."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.store.pool import named_query


def ensure_partitions(tx: Session, now: datetime) -> int:
    """Make the partitions that the coming weeks need; returns how many were missing."""
    made = tx.connection().exec_driver_sql(named_query("ensure_partitions"), {"now": now})
    return int(made.scalar_one())

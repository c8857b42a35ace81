"""Housekeeping that keeps the installation running."""

from __future__ import annotations

from datetime import datetime

from billing.services.context import Context
from billing.store import upkeep as store


def ensure_partitions(context: Context, now: datetime) -> int:
    """Partitions of the journal, login history and sessions, ahead of time; repeatable."""
    with context.transaction() as tx:
        return store.ensure_partitions(tx, now)


def orders_by_state(context: Context, now: datetime) -> dict[str, int]:
    """CoA and Disconnect orders that are open (pending, acked), or were given up (failed) in the
    last day. Raises Unavailable."""
    with context.transaction() as tx:
        return {"pending": 0, "acked": 0, "failed": 0} | store.orders_by_state(tx, now)

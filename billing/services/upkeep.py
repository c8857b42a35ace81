"""Housekeeping that keeps the installation running."""

from __future__ import annotations

from datetime import datetime

from billing.services.context import Context
from billing.store import upkeep as store


def ensure_partitions(context: Context, now: datetime) -> int:
    """Partitions of the journal, login history and sessions, ahead of time; repeatable."""
    with context.transaction() as tx:
        return store.ensure_partitions(tx, now)

"""Housekeeping that keeps the installation running."""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.services import enforcement, fair_use
from billing.services.context import Context
from billing.store import upkeep as store

FAIR_USE_LOOK_BACK = timedelta(minutes=15)
"""Sessions that reported since then are looked at; more than once, so that nothing is missed."""


def ensure_partitions(context: Context, now: datetime) -> int:
    """Partitions of the journal, login history and sessions, ahead of time; repeatable."""
    with context.transaction() as tx:
        return store.ensure_partitions(tx, now)


def fair_use_steps(context: Context, now: datetime) -> int:
    """Bring in line those that have passed a step of fair use, each customer in a transaction of
    its own; returns how many (rule Q2)."""
    found = fair_use.passed(context, now, since=now - FAIR_USE_LOOK_BACK)
    enforcement.bring_in_line(context, "fair_use_steps", found, now)
    return len(found)


def orders_by_state(context: Context, now: datetime) -> dict[str, int]:
    """CoA and Disconnect orders that are open (pending, acked), or were given up (failed) in the
    last day. Raises Unavailable."""
    with context.transaction() as tx:
        return {"pending": 0, "acked": 0, "failed": 0} | store.orders_by_state(tx, now)

"""Housekeeping that keeps the installation running."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from billing.errors import Unavailable
from billing.services import enforcement, fair_use
from billing.services.context import Context
from billing.store import customers
from billing.store import upkeep as store

log = logging.getLogger(__name__)

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
    for customer_id in found:
        try:
            with context.transaction() as tx:
                if customers.lock_customer(tx, customer_id) is not None:
                    enforcement.reconcile(tx, context, customer_id, now)
        except Unavailable:
            raise
        except Exception:
            # Whatever is wrong with one customer's rows must not keep others at full speed.
            log.exception("customer %d cannot be brought in line", customer_id)
    return len(found)


def orders_by_state(context: Context, now: datetime) -> dict[str, int]:
    """CoA and Disconnect orders that are open (pending, acked), or were given up (failed) in the
    last day. Raises Unavailable."""
    with context.transaction() as tx:
        return {"pending": 0, "acked": 0, "failed": 0} | store.orders_by_state(tx, now)

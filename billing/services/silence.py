"""Sessions that ended without a word: closed at their last update (rules U7, U10).

A later record of one corrects its end (rule U5).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.services.context import Context
from billing.store import sessions as store

SLOTS_KEPT = timedelta(hours=1)
BATCH = 500
BATCHES = 20


def close_rebooted(context: Context, now: datetime) -> int:
    """Close what a NAS has lost by a reboot that it did not tell of; returns how many."""
    with context.transaction() as tx:
        return store.close_rebooted(tx, now)


def reap(context: Context, now: datetime) -> int:
    """Close sessions that fell silent, in transactions of BATCH, BATCHES of them at most: what is
    left is for the next time. Returns how many."""
    reaped = 0
    for _ in range(BATCHES):
        with context.transaction() as tx:
            closed = store.reap_silent(tx, now, BATCH)
        reaped += closed
        if closed < BATCH:
            break
    return reaped


def drop_lapsed_slots(context: Context, now: datetime) -> int:
    """Forget slots of long ago (rule A7) that no later login of their subscription has dropped;
    returns how many."""
    with context.transaction() as tx:
        return store.drop_lapsed_slots(tx, now - SLOTS_KEPT)


def release_lapsed_grants(context: Context, now: datetime) -> int:
    """Give back what sessions held that have ended, or never showed (rule Q4); returns how many."""
    with context.transaction() as tx:
        return store.release_lapsed(tx, now, BATCH)

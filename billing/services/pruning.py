"""What is told and checked is not kept for ever."""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.services.context import Context
from billing.store import books, payments
from billing.store import messages as store

BATCH = 1000
CHECKS_KEPT = 400
"""Of the ledger: more than a year of nights."""


EVENT_DAYS = 600
"""Of providers: longer than a payer's bank may take a charge back."""


def remove_old(context: Context, now: datetime) -> tuple[int, int]:
    """Remove messages that were queued more than the context's `message_days` ago and are settled
    (those that wait stay), what providers said EVENT_DAYS ago, and all but the newest checks of the
    ledger; returns how many messages and checks. Each batch is a transaction of its own: an
    end in the middle loses nothing."""
    before = now - timedelta(days=context.message_days)
    messages = 0
    while True:
        with context.transaction() as tx:
            removed = store.remove_old(tx, before, BATCH)
        messages += removed
        if removed < BATCH:
            break
    while True:
        with context.transaction() as tx:
            if payments.remove_old_events(tx, now - timedelta(days=EVENT_DAYS), BATCH) < BATCH:
                break
    with context.transaction() as tx:
        return messages, books.remove_old_reports(tx, CHECKS_KEPT)

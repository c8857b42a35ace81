"""Sessions as people look at them; the meter's own access is in hotpath.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from billing.model.views import SessionView
from billing.store import tables
from billing.store.pool import named_query


def sessions_of(
    tx: Session,
    customer_id: int,
    subscription_id: int | None,
    now: datetime,
    *,
    open_only: bool,
    limit: int,
) -> list[SessionView]:
    """Live and past sessions that began by `now`, newest first; of all the customer's
    subscriptions where none is named."""
    result = tx.connection().exec_driver_sql(
        named_query("sessions_of"),
        {
            "customer_id": customer_id,
            "subscription_id": subscription_id,
            "now": now,
            "open_only": open_only,
            "limit": limit,
        },
    )
    return [SessionView(**row._mapping) for row in result]


def reap_silent(tx: Session, now: datetime, limit: int) -> int:
    """Close sessions that fell silent, `limit` at most (rule U10); returns how many."""
    return int(tx.scalar(select(func.reap_silent_v1(now, limit))) or 0)


def close_rebooted(tx: Session, now: datetime) -> int:
    """Close what a NAS has lost by a reboot that it did not tell of (rule U7); how many."""
    return int(tx.scalar(select(func.close_rebooted_v1(now))) or 0)


def drop_lapsed_slots(tx: Session, taken_before: datetime) -> int:
    """Forget slots of logins that long lapsed or became sessions; returns how many."""
    slots = tables.SessionSlot
    dropped: Any = tx.execute(delete(slots).where(slots.taken_at < taken_before))
    return int(dropped.rowcount)


def release_lapsed(tx: Session, now: datetime, limit: int) -> int:
    """End reservations that no session holds any more, of `limit` customers (rule Q4); how many."""
    return int(tx.scalar(select(func.release_lapsed_v1(now, limit))) or 0)

"""Closed sessions on their way into the history, and days of the journal at their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from billing.store.pool import named_query


@dataclass(frozen=True, slots=True)
class Place:
    """A closed session, in the order of their ends; None comes before all."""

    closed_at: datetime | None = None
    customer_id: int = 0
    session_id: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of the walk did. `month_wanted`: nothing, as this month has no partition."""

    looked: int
    moved: int
    month_wanted: datetime | None
    place: Place


def move_closed(tx: Session, now: datetime, place: Place, limit: int) -> Step:
    """Look at the `limit` closed sessions after `place`; move those that are due (rule U11)."""
    values = {
        "now": now,
        "closed_at": place.closed_at or "-infinity",
        "customer_id": place.customer_id,
        "session_id": place.session_id,
        "limit": limit,
    }
    row = tx.connection().exec_driver_sql(named_query("move_closed_sessions"), values).one()
    reached = Place(row.closed_at, row.customer_id, row.session_id) if row.looked else place
    return Step(row.looked, row.moved, row.month_wanted, reached)


def make_months(tx: Session, began_at: datetime) -> int:
    """Partitions of the history around a session's beginning; returns how many were missing."""
    made = tx.connection().exec_driver_sql(
        named_query("make_history_months"), {"began_at": began_at}
    )
    return int(made.scalar_one())


def drop_old_day(tx: Session, now: datetime, parent: str, keep_days: int) -> str | None:
    """Drop the oldest partition of `parent` that is older than so many days; its name."""
    dropped = tx.connection().exec_driver_sql(
        named_query("drop_old_day"), {"now": now, "parent": parent, "keep_days": keep_days}
    )
    name = dropped.scalar_one()
    return None if name is None else str(name)

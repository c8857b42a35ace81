"""Accounting records that belong to no session (radius.md F5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.model.dead_letters import DeadLetter, DeadLetterCount
from billing.store.pool import named_query


def listed(
    tx: Session,
    *,
    words: Callable[[str], str],
    reason: str | None,
    nas_address: str | None,
    since: datetime,
    until: datetime | None,
    before: int | None,
    limit: int,
) -> list[DeadLetter]:
    """Newest first, each reason also in `words`."""
    rows = tx.execute(
        text(named_query("dead_letters")),
        {
            "reason": reason,
            "nas_address": nas_address,
            "since": since,
            "until": until,
            "before": before,
            "limit": limit,
        },
    )
    return [DeadLetter(**row._mapping, text=words(row.reason)) for row in rows]


def counted(
    tx: Session,
    *,
    words: Callable[[str], str],
    nas_address: str | None,
    since: datetime,
    until: datetime | None,
) -> list[DeadLetterCount]:
    """By reason, most first."""
    rows = tx.execute(
        text(named_query("count_dead_letters")),
        {"nas_address": nas_address, "since": since, "until": until},
    )
    return [DeadLetterCount(**row._mapping, text=words(row.reason)) for row in rows]


def drop_old(tx: Session, now: datetime, keep_days: int, limit: int) -> int:
    """Remove some of the oldest that are older than so many days; returns how many."""
    dropped = tx.connection().exec_driver_sql(
        named_query("drop_old_letters"), {"now": now, "keep_days": keep_days, "limit": limit}
    )
    return int(dropped.scalar_one())

"""Plans with tariff windows, and the orders of a switch (rule Q3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from billing.store.pool import named_query
from billing.store.tables import PlanVersion

_LOCK = 7019


def windowed_versions(tx: Session) -> dict[int, str]:
    """The windows of every version of a plan that has any, by its number."""
    statement = select(PlanVersion.plan_version_id, PlanVersion.tariff_windows).where(
        PlanVersion.tariff_windows.is_not(None)
    )
    return {row.plan_version_id: row.tariff_windows for row in tx.execute(statement)}


def order_switches(tx: Session, switched_at: Mapping[int, datetime], now: datetime) -> int:
    """An order for every running session of these versions that began before the switch of its
    own, unless it has one; returns how many. One process at a time."""
    tx.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    result: Any = tx.execute(
        text(named_query("tariff_switches")),
        {
            "now": now,
            "version_ids": list(switched_at),
            "switched_at": list(switched_at.values()),
        },
    )
    return int(result.rowcount)

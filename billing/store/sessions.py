"""Sessions as people look at them; the meter's own access is in hotpath.py."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.model.views import SessionView
from billing.store.pool import named_query


def sessions_of(
    tx: Session,
    customer_id: int,
    subscription_id: int,
    now: datetime,
    *,
    open_only: bool,
    limit: int,
) -> list[SessionView]:
    """Live and past sessions that began by `now`, newest first."""
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

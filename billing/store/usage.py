"""Metered usage."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from billing.model.views import DayUsage
from billing.store.pool import named_query


def days_of(
    tx: Session, customer_id: int, subscription_id: int | None, until: date
) -> list[DayUsage]:
    """Usage of a subscription, or of all the customer's, by local day and kind up to a day, newest
    first."""
    result = tx.connection().exec_driver_sql(
        named_query("usage_days"),
        {"customer_id": customer_id, "subscription_id": subscription_id, "until": until},
    )
    return [DayUsage(**row._mapping) for row in result]

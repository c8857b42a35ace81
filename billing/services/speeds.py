"""A subscriber's own speed (rules A6, Q2)."""

from __future__ import annotations

from datetime import datetime

from billing.services.context import Context
from billing.services.customers import changing, finish
from billing.services.identity import checked_number


def set_speed(
    context: Context,
    subscription_id: int,
    *,
    up_kbps: int | None,
    down_kbps: int | None,
    now: datetime,
) -> None:
    """A speed of its own instead of the plan's, for running sessions too (rule Q2); None: the
    plan's. Raises InvalidInput, NotFound."""
    checked_number(up_kbps, "speed_up_kbps")
    checked_number(down_kbps, "speed_down_kbps")
    with changing(context, subscription_id) as (tx, row):
        row.speed_up_kbps, row.speed_down_kbps = up_kbps, down_kbps
        detail: dict[str, object] = {"up_kbps": up_kbps, "down_kbps": down_kbps}
        finish(context, tx, row, "subscription.speed", now, detail)

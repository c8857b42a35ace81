"""What each member of staff took on a local day, for the drawer at its end (rule P1)."""

from __future__ import annotations

from datetime import date, datetime

from billing.model.taken import DayReport
from billing.rules.cycles import day_passed_at, day_start, local_day
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.store import bank as store


def today(context: Context, now: datetime) -> date:
    """The operator's. Raises NotFound (no operator yet)."""
    with context.transaction() as tx:
        return local_day(now, operator_of(tx).time_zone)


def of_day(context: Context, day: date, *, org_id: int | None = None) -> DayReport:
    """By organisation, actor, channel and currency, of one organisation or of all that the actor
    sees. Raises NotFound (no operator yet)."""
    with context.at_one_instant() as tx:
        zone = operator_of(tx).time_zone
        rows = store.taken_between(tx, day_start(day, zone), day_passed_at(day, zone))
    chosen = tuple(row for row in rows if org_id in (None, row.org_id))
    return DayReport(day=day, time_zone=zone, rows=chosen)

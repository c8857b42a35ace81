"""What each member of staff took on a local day, for the drawer at its end (rule P1)."""

from __future__ import annotations

from datetime import date, datetime

from billing.model.shifts import DESK_CHANNELS
from billing.model.taken import DayReport
from billing.rules.cycles import day_passed_at, day_start, local_day
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.store import bank as store
from billing.store import shifts


def today(context: Context, now: datetime) -> date:
    """The operator's. Raises NotFound (no operator yet)."""
    with context.transaction() as tx:
        return local_day(now, operator_of(tx).time_zone)


def of_day(context: Context, day: date, *, org_id: int | None = None) -> DayReport:
    """By organisation, actor, channel and currency, of one organisation or of all that the actor
    sees; not what the actor's own open shift is to count first (rule R4). Raises NotFound (no
    operator yet)."""
    with context.at_one_instant() as tx:
        zone = operator_of(tx).time_zone
        ends = day_passed_at(day, zone)
        rows = store.taken_between(tx, day_start(day, zone), ends)
        opened_at = shifts.open_since(tx, context.actor)
    is_blind = opened_at is not None and opened_at < ends
    chosen = tuple(
        row
        for row in rows
        if org_id in (None, row.org_id)
        and not (is_blind and row.actor == context.actor and row.channel in DESK_CHANNELS)
    )
    return DayReport(day=day, time_zone=zone, rows=chosen, is_blind=is_blind)

"""What the ledger has of revenue and of what is deferred (rule I6): added up at the ends of months,
so that a report reads the journal of the days that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from billing.store import tables
from billing.store.pool import named_query

_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_SETTLED_AFTER = timedelta(hours=1)
"""No transaction takes so long: entries with numbers of then are there, or never will be."""


@dataclass(frozen=True, slots=True)
class Posted:
    """The sum of postings of an account by entries of a kind, before some days and on them."""

    account: str
    kind: str
    currency: str
    before_micros: int
    within_micros: int


@dataclass(frozen=True, slots=True)
class _Base:
    """An instant at which it was added up, of the entries up to a number."""

    until: datetime
    through: int


def posted(tx: Session, since: datetime, until: datetime) -> list[Posted]:
    """What the ledger has, before `since` and from then to before `until`."""
    base = _base(tx, since)
    rows = tx.connection().exec_driver_sql(
        named_query("revenue_posted"),
        {
            "since": since,
            "until": until,
            "base": base.until,
            "through": base.through,
            "first": _first(tx, base),
        },
    )
    return [Posted(**row._mapping) for row in rows]


def added_up_until(tx: Session) -> datetime | None:
    """The last instant at which it was added up."""
    return tx.scalar(select(func.max(tables.RevenueTotal.until)))


def add_up(tx: Session, until: datetime, now: datetime) -> None:
    """Keep what the ledger has before `until`; a repetition changes nothing."""
    base = _base(tx, until)
    entry = tables.JournalEntry
    young = select(func.min(entry.entry_id)).where(entry.at >= now - _SETTLED_AFTER)
    newest = select(func.max(entry.entry_id)).where(entry.at >= until - timedelta(days=31))
    first_young, last = tx.execute(select(young.scalar_subquery(), newest.scalar_subquery())).one()
    through = base.through if last is None else last
    if first_young is not None:
        through = min(through, first_young - 1)
    tx.connection().exec_driver_sql(
        named_query("add_up_revenue"),
        {
            "until": until,
            "base": base.until,
            "through": base.through,
            "new_through": max(through, base.through),
            "first": _first(tx, base),
        },
    )


def _base(tx: Session, at: datetime) -> _Base:
    row = tables.RevenueTotal
    found = tx.execute(
        select(row.until, row.through_entry_id)
        .where(row.until <= at)
        .order_by(row.until.desc())
        .limit(1)
    ).first()
    return _Base(_NEVER, 0) if found is None else _Base(*found)


def _first(tx: Session, base: _Base) -> int:
    """The lowest number of an entry that is not added up at the base."""
    row = tables.JournalEntry
    new = or_(row.at >= base.until, row.entry_id > base.through)
    return tx.scalar(select(func.min(row.entry_id)).where(new)) or 0

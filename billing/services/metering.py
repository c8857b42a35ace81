"""Accounting records for the hooks: charged exactly once, or kept as what they are (rules U)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.clock import utc_now
from billing.model.events import AccountingRecord, Unusable, UnusableRecord
from billing.rules.usage import event_time, total_octets
from billing.store import hotpath
from billing.store.hotpath import HotConnection, Row, RowLocked, is_one_rows_fault

# What a hook needs to make a record, and to run a batch of them.
__all__ = [
    "Metered",
    "RowLocked",
    "event_time",
    "is_one_rows_fault",
    "keep_poison",
    "meter_batch",
    "prepare",
    "total_octets",
]

Metered = Row | UnusableRecord
"""A record ready to be sent, or one that can only be kept."""


def prepare(record: AccountingRecord | UnusableRecord) -> Metered:
    """Encode a record in the thread that brought it, before it waits for its batch."""
    return record if isinstance(record, UnusableRecord) else hotpath.usage_row(record)


def meter_batch(lane: HotConnection, records: Sequence[Metered], now: datetime) -> list[None]:
    """Charge a batch; returns when every record of it is durable (rule U1).

    Raises Unavailable when the database does not answer in time: nobody is acknowledged then.
    """
    rows = [record for record in records if not isinstance(record, UnusableRecord)]
    if rows:
        hotpath.charge_usage(lane, rows, now)
    if len(rows) < len(records):
        letters = [record for record in records if isinstance(record, UnusableRecord)]
        hotpath.store_dead_letters(lane, letters)
    return [None] * len(records)


def keep_poison(lane: HotConnection, record: Metered, error: Exception) -> None:
    """A record that can never be charged is kept and then answered, else it comes for ever (F5).
    Raises the error for one that can be charged later."""
    if isinstance(record, UnusableRecord) or isinstance(error, RowLocked):
        raise error
    detail = type(error).__name__
    hotpath.store_dead_letters(
        lane,
        [
            UnusableRecord(
                reason=Unusable.NOT_STORABLE,
                nas_address=record[hotpath.NAS_ADDRESS_COLUMN],
                arrived_at=utc_now(),
                raw=f"{detail}: {' '.join(record)}",
            )
        ],
    )

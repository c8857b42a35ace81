"""Accounting while the database is out: kept in a local journal, charged later (rules A8, U1, U2).

A record is kept as what it means, by the names of its fields, so that one that an older Tollway
kept can still be charged. It may be charged twice over, when a crash comes between the commit and
the journal's cursor: the meter counts nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from billing.errors import Unavailable
from billing.model.events import AccountingRecord, UnusableRecord
from billing.services.metering import keep_poison, meter_batch, prepare
from billing.store import hotpath
from billing.store.hotpath import HotConnection, RowLocked
from billing.store.journal import Entry, Journal, JournalFull, JournalInUse, survey

__all__ = [
    "Journal",
    "JournalFull",
    "JournalInUse",
    "Replay",
    "decoded",
    "encoded",
    "survey",
]

Record = AccountingRecord | UnusableRecord

BATCH_MAX = 256
LONE_FAILURES_MAX = 5
"""So often one record alone may fail on a database that works before it is set aside."""

_RECORD = TypeAdapter(AccountingRecord)
_UNUSABLE = TypeAdapter(UnusableRecord)
_KINDS: tuple[tuple[bytes, TypeAdapter[AccountingRecord] | TypeAdapter[UnusableRecord]], ...] = (
    (b"record ", _RECORD),
    (b"unusable ", _UNUSABLE),
)


def encoded(record: Record) -> tuple[datetime, bytes]:
    """What `Journal.append` takes: when the record came, and one line of octets."""
    if isinstance(record, UnusableRecord):
        return record.arrived_at, b"unusable " + _UNUSABLE.dump_json(record)
    return record.arrived_at, b"record " + _RECORD.dump_json(record, exclude_defaults=True)


def decoded(payload: bytes) -> Record | None:
    """The reverse of `encoded`; None when it cannot be read."""
    for prefix, adapter in _KINDS:
        if payload.startswith(prefix):
            try:
                return adapter.validate_json(payload.removeprefix(prefix))
            except ValidationError:
                return None
    return None


class Replay:
    """Charges what a journal holds, in its order. One thread calls `step`."""

    def __init__(self, journal: Journal, lane: HotConnection, log: Callable[[str], None]) -> None:
        self._journal = journal
        self._lane = lane
        self._log = log
        self._batch_max = BATCH_MAX
        self._lone_failures = 0
        self.charged = 0
        self.damaged = 0

    def step(self, now: datetime) -> int:
        """Charge the next batch; how many lines were dealt with, 0 when none waits.

        Raises Unavailable when the database does not do its part; nothing is lost then, and the
        next try is made with a smaller batch, in case that one record is what it trips over.
        """
        entries = self._journal.read(self._batch_max)
        readable: list[tuple[Entry, Record]] = []
        unusable: list[Entry] = []
        for entry in entries:
            record = None if entry.payload is None else decoded(entry.payload)
            if record is None:
                unusable.append(entry)
            else:
                readable.append((entry, record))
        try:
            unusable += self._charge(readable, now)
        except Unavailable:
            if len(entries) > 1:
                self._batch_max = max(1, len(entries) // 2)
                raise
            self._lone_failures += 1
            if self._lone_failures < LONE_FAILURES_MAX or not self._database_works():
                raise
            unusable += entries
        for entry in unusable:
            self._set_aside(entry)
        self._journal.advance(entries)
        self._lone_failures = 0
        self._batch_max = min(2 * self._batch_max, BATCH_MAX)
        self.charged += len(entries) - len(unusable)
        return len(entries)

    def _charge(self, kept: list[tuple[Entry, Record]], now: datetime) -> list[Entry]:
        """Charge a batch; what can never be charged goes to the dead letters, alone. Returns what
        not even they can take."""
        if not kept:
            return []
        try:
            meter_batch(self._lane, [prepare(record) for _, record in kept], now)
        except Exception as error:
            if isinstance(error, Unavailable) and not isinstance(error, RowLocked):
                raise
            if len(kept) == 1:
                return self._charge_alone(*kept[0], error)
            middle = len(kept) // 2
            return self._charge(kept[:middle], now) + self._charge(kept[middle:], now)
        return []

    def _charge_alone(self, entry: Entry, record: Record, error: Exception) -> list[Entry]:
        """A record whose customer is locked by somebody goes to the end of the journal, so that
        it does not hold up the others."""
        if isinstance(error, RowLocked):
            self._journal.append([encoded(record)])
            return []
        try:
            keep_poison(self._lane, prepare(record), error)
        except Unavailable:
            raise
        except Exception:
            return [entry]
        return []

    def _database_works(self) -> bool:
        try:
            hotpath.load_operator(self._lane)
        except Unavailable:
            return False
        return True

    def _set_aside(self, entry: Entry) -> None:
        self._journal.set_aside(entry)
        self.damaged += 1
        self._log(
            f"the journal {self._journal.directory} held a record that cannot be read or charged; "
            "it was set aside in the file `damaged` there"
        )

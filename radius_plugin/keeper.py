"""Keeps accounting records in the local journal while the database is out (docs/adr/0010).

While anything waits in the journal, new records go through it as well: what a NAS reports is
charged in the order it was reported, which a 32-bit counter that wraps needs (rule U4).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.services.acct_journal import Journal, JournalFull, Record, Replay, encoded
from radius_plugin.batcher import Batcher, Overloaded, TimedOut
from radius_plugin.complaints import Complaints

Line = tuple[datetime, bytes]
RETRY_SECONDS = 1.0
WAIT_SECONDS = 5.0


class Keeper:
    """`takes` is the operator's switch: without it a journal that was left behind is charged, and
    nothing new goes into it. `may_charge` tells when it is worth trying."""

    def __init__(
        self,
        journal: Journal,
        replay: Replay,
        complaints: Complaints,
        *,
        takes: bool,
        may_charge: Callable[[], bool],
        batch_max: int,
        queue_max: int,
    ) -> None:
        self.journal = journal
        self.replay = replay
        self.takes = takes
        self._complaints = complaints
        self._may_charge = may_charge
        self._closing = threading.Event()
        self._kept = threading.Event()
        self._batches: Batcher[Line, None, Journal] = Batcher(
            [journal],
            _append,
            batch_max=batch_max,
            queue_max=queue_max,
            wait_seconds=WAIT_SECONDS,
        )
        self._thread = threading.Thread(target=self._run, name="journal-replay", daemon=True)
        self._thread.start()

    @property
    def goes_first(self) -> bool:
        """Whether records go through the journal because others wait in it."""
        return self.takes and self.journal.waiting > 0

    @property
    def kept(self) -> int:
        """Records taken so far."""
        return self._batches.requests

    def keep(self, record: Record) -> bool:
        """Make one record durable; False when it can't be: it must not be acknowledged."""
        if not self.takes:
            return False
        try:
            self._batches.submit(encoded(record))
        except (OSError, JournalFull, Overloaded, TimedOut) as error:
            self._complaints.say("journal", f"{_named(error)}; not answered (rule U1)")
            return False
        if not self._kept.is_set():
            self._kept.set()
        return True

    def close(self, timeout_seconds: float = 5.0) -> None:
        """End between two batches; what waits is charged after the next start."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._kept.set()
        self._thread.join(timeout_seconds)
        self.journal.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            if not self.journal.waiting:
                self._kept.wait(RETRY_SECONDS)
                self._kept.clear()
            elif not (self._may_charge() and self._step()):
                self._closing.wait(RETRY_SECONDS)

    def _step(self) -> bool:
        try:
            dealt_with = self.replay.step(utc_now())
        except Unavailable as error:
            self._complaints.say("replay", f"{error.message}; what it holds waits")
            return False
        except Exception as error:  # the thread must live on: a full disk, say
            self._complaints.say("replay", f"{_named(error)}; what it holds waits")
            return False
        if not self.journal.waiting:
            self._complaints.say("replay", "all that it held is charged")
        return dealt_with > 0


def _append(journal: Journal, records: list[Line]) -> list[None]:
    journal.append(records)
    return [None] * len(records)


def _named(error: Exception) -> str:
    return str(error) or type(error).__name__

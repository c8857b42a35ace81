"""Whether the database answers: told by every batch, asked for by itself when nobody else does.

A database that refuses at once is tried by every batch, so that service is back with it. One that
hangs is not waited for by requests again and again: after the first ones `shut` is set, hooks
decide without it, and only the probe waits.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.services.metering import RowLocked

SLOW_SECONDS = 0.5
"""A failure that took longer shuts the database to the hooks until a probe succeeds."""
PROBE_SECONDS = 1.0
"""How often the database is asked during an outage."""
IDLE = timedelta(seconds=10)
"""How often it is asked when no request did."""
POLL_SECONDS = 0.25


SHUT = Unavailable("the database does not answer")
"""What is raised in the place of a request that would wait for it."""


class Lane(Protocol):
    """A connection that can be told to stop waiting."""

    def cut(self, seconds: float) -> bool: ...


class DatabaseWatch:
    """One for each radiusd; `shut` is all that a request reads.

    `probe` runs one harmless statement on a connection of its own or raises Unavailable. `lanes`
    are cut when a statement takes longer than `stuck_seconds`. `always`: ask also while requests
    are answered.
    """

    def __init__(
        self,
        probe: Callable[[], object],
        lanes: Sequence[Lane],
        log: Callable[[str], None],
        *,
        stuck_seconds: float,
        good_at: datetime | None = None,
        always: bool = False,
    ) -> None:
        self._always = always
        self._probe = probe
        self._lanes = lanes
        self._log = log
        self._stuck_seconds = stuck_seconds
        self._mutex = threading.Lock()
        self._closing = threading.Event()
        self._ask = threading.Event()
        self.shut = False
        self.good_at = good_at or utc_now()
        """When the database last did something for us; known again after a restart."""
        self.out_since: datetime | None = None
        """Set during an outage: `good_at` of its beginning."""
        self._last_out_since: datetime | None = None
        self.failures: Counter[str] = Counter()
        self.outages = 0
        self._ask.set()
        for name, body in (("database-watch", self._cut_stuck), ("database-probe", self._ask_it)):
            threading.Thread(target=body, name=name, daemon=True).start()

    def good(self) -> None:
        """A batch was answered."""
        self.good_at = utc_now()
        if self.out_since is not None or self.shut:
            self._end()

    def failed(self, error: Unavailable, seconds: float) -> None:
        """A batch was not; it had waited that long."""
        with self._mutex:
            self.failures[error.message] += 1
            begins = self.out_since is None
            if begins:
                self.out_since = self._last_out_since = self.good_at
                self.outages += 1
            if seconds >= SLOW_SECONDS:
                self.shut = True
        if begins:
            self._log(f"{error.message}: working without it (rule A8)")
        self._ask.set()

    def outage_of(self, error: Exception) -> datetime | None:
        """When the outage began in which a request failed with this error; None: in none. It may be
        over: another batch, answered a moment ago, has ended it."""
        fell_in = isinstance(error, Unavailable) and not isinstance(error, RowLocked)
        return self.out_since or (self._last_out_since if fell_in else None)

    def close(self) -> None:
        """Stop asking."""
        self._closing.set()
        self._ask.set()

    def _end(self) -> None:
        with self._mutex:
            since, self.out_since, self.shut = self.out_since, None, False
        if since is not None:
            seconds = (self.good_at - since).total_seconds()
            self._log(f"the database answers again, after {seconds:.0f} s")

    def _cut_stuck(self) -> None:
        while not self._closing.wait(POLL_SECONDS):
            for lane in self._lanes:
                lane.cut(self._stuck_seconds)

    def _ask_it(self) -> None:
        asked_at = datetime.min.replace(tzinfo=UTC)
        while not self._closing.is_set():
            now = utc_now()
            due = asked_at if self._always else max(asked_at, self.good_at)
            if self.out_since is not None or abs(now - due) >= IDLE:
                asked_at = now
                self._ask_now()
            if self.out_since is not None:
                self._closing.wait(PROBE_SECONDS)
            else:
                # At once when a batch fails, since that may have been its own fault.
                self._ask.wait(IDLE.total_seconds() / 4)
                self._ask.clear()

    def _ask_now(self) -> None:
        began = utc_now()
        try:
            self._probe()
        except Unavailable as error:
            self.failed(error, (utc_now() - began).total_seconds())
        else:
            self.good()

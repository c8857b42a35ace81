"""Look-ups of NAS that cannot hold up the server.

radiusd asks which NAS is behind an address in the thread that reads every packet. So the
database is asked in a thread beside it, for a bounded time: one that hangs (its own time limits
do not help then) costs a moment once, and known NAS go on with what was read last.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from billing.errors import TollwayError, Unavailable
from billing.services.clients import Client

ANSWER_SECONDS = 1.0


class Lookups:
    """One look-up at a time; `look_up(address)` may block for as long as it likes."""

    def __init__(
        self, look_up: Callable[[str], Client | None], *, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._look_up = look_up
        self._answer_seconds = answer_seconds
        self._mutex = threading.Lock()
        self._running: threading.Thread | None = None

    def find(self, address: str) -> Client | None:
        """The NAS at an address, None when there is none. Raises Unavailable when the answer, or
        the one of an earlier look-up, does not come in time; and what `look_up` raises."""
        with self._mutex:
            if self._running is not None and self._running.is_alive():
                raise Unavailable("the database has not answered an earlier look-up yet")
            found: list[Client | None] = []
            failed: list[TollwayError] = []

            def run() -> None:
                try:
                    found.append(self._look_up(address))
                except TollwayError as error:
                    failed.append(error)

            self._running = threading.Thread(target=run, name="nas-look-up", daemon=True)
            self._running.start()
            self._running.join(self._answer_seconds)
            if failed:
                raise failed[0]
            if not found:
                raise Unavailable("the database does not answer in time")
            return found[0]

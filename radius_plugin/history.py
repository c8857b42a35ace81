"""Login history written behind the answer (rule A3; docs/adr/0007).

An answer does not depend on its line in the history, so it does not wait for it: one thread
writes what has gathered, in large batches, and tries again while the database is out. What must
be decided by a write (first-login activation) is not written here but waited for.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from billing.errors import Unavailable
from billing.model.events import LoginRecord

GATHER_SECONDS = 0.01
RETRY_SECONDS = 1.0
BATCH_MAX = 256


class History:
    """`write(batch)` stores records or raises Unavailable. At most `pending_max` are held."""

    def __init__(
        self,
        write: Callable[[list[LoginRecord]], object],
        log: Callable[[str], None],
        *,
        pending_max: int,
    ) -> None:
        self._write = write
        self._log = log
        self._pending_max = pending_max
        self._pending: deque[LoginRecord] = deque()
        self._waiting = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="login-history", daemon=True)
        self._thread.start()

    def offer(self, record: LoginRecord) -> bool:
        """Take a record to be written soon; False when too many wait already (nothing is taken)."""
        if len(self._pending) >= self._pending_max:
            return False
        self._pending.append(record)
        if not self._waiting.is_set():
            self._waiting.set()
        return True

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Write what is left, as far as the database allows."""
        self._closing.set()
        self._waiting.set()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while True:
            self._waiting.wait()
            self._waiting.clear()
            while self._pending:
                if not self._flush() and self._closing.wait(RETRY_SECONDS):
                    return
            if self._closing.wait(GATHER_SECONDS) and not self._pending:
                return

    def _flush(self) -> bool:
        """Write one batch; False when it has to be tried again later."""
        batch = [self._pending.popleft() for _ in range(min(len(self._pending), BATCH_MAX))]
        try:
            self._write(batch)
        except Unavailable as error:
            self._pending.extendleft(reversed(batch))
            self._log(f"login history: {error.message}; {len(self._pending)} lines wait")
            return False
        except Exception as error:
            # One line that can't be stored must not end the history of all others.
            self._log(f"login history: {len(batch)} lines lost ({type(error).__name__})")
        return True

"""Login history written behind the answer (rule A3; docs/adr/0007).

An answer does not depend on its line in the history, so it does not wait for it: one thread
writes what has gathered, in large batches, and tries again while the database is out. What must
be decided by a write (first-login activation) is not written here but waited for.

A login that `authorize` grants is held for a moment: when its password turns out wrong, the
refusal takes its place (`amend`). So a granted login needs no second call of Python.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from itertools import count

from billing.errors import Unavailable
from billing.services.login_lines import Line, outcome_and_reason
from billing.services.snapshot import LoginShelf

# From the decision to the check of the password, in the same thread of radiusd, it takes well
# under a millisecond; a refusal that comes later than this gets a line of its own.
HOLD_SECONDS = 0.25
GATHER_SECONDS = 0.02
RETRY_SECONDS = 1.0
BATCH_MAX = 256
NUMBERS = 2**31  # they travel in a 32-bit attribute


class History:
    """`write(lines)` stores lines, encoded as `record_logins` takes them, or raises Unavailable. At
    most `pending_max` wait for it."""

    def __init__(
        self,
        write: Callable[[list[Line]], object],
        log: Callable[[str], None],
        *,
        pending_max: int,
        shelf: LoginShelf | None = None,
    ) -> None:
        self._shelf = shelf
        self._write = write
        self._log = log
        self._pending_max = pending_max
        self._pending: deque[Line] = deque()
        self._held: dict[int, Line] = {}
        self._due: deque[tuple[float, int]] = deque()
        self._numbers = count(1)
        self.decided: Counter[tuple[str, str]] = Counter()
        """Finished logins by outcome and reason."""
        self._batch_max = BATCH_MAX
        self._retry_at = 0.0
        self._awake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="login-history", daemon=True)
        self._thread.start()

    def offer(self, line: Line) -> bool:
        """Take a final line to be written soon; False when too many wait already."""
        self._count(line)
        if len(self._pending) >= self._pending_max:
            return False
        self._pending.append(line)
        self._wake()
        return True

    def hold(self, line: Line) -> int | None:
        """Take a granted login, to be written unless it is amended in time; its number.

        None when too many wait already: nothing is taken."""
        if len(self._pending) + len(self._due) >= self._pending_max:
            return None
        number = next(self._numbers) % NUMBERS
        self._held[number] = line
        self._due.append((time.monotonic() + HOLD_SECONDS, number))
        self._wake()
        return number

    def amend(self, number: int, line: Line) -> bool:
        """Put a final line in the place of a held one; False when too many wait already."""
        self._held.pop(number, None)
        return self.offer(line)

    @property
    def waiting(self) -> int:
        """Finished logins that are not written yet."""
        return len(self._pending) + self._shelved

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Write what is left, as far as the database allows."""
        self._closing.set()
        self._awake.set()
        self._thread.join(timeout_seconds)

    def _wake(self) -> None:
        if not self._awake.is_set():
            self._awake.set()

    def _run(self) -> None:
        while not (self._closing.is_set() and not self._pending and not self._due):
            self._awake.wait(RETRY_SECONDS if self._shelved else None)
            self._awake.clear()
            self._release()
            while self._pending:
                if not self._flush() and self._closing.wait(RETRY_SECONDS):
                    self._release()  # those that were held when the end came
                    self._shelve()
                    return
            if self._shelved and not self._closing.is_set() and time.monotonic() >= self._retry_at:
                self._write_shelved()
            self._closing.wait(GATHER_SECONDS)
            if self._due or self._closing.is_set():
                self._awake.set()

    def _release(self) -> None:
        """Held logins whose moment has passed become final; all of them at the end."""
        now = time.monotonic() if not self._closing.is_set() else float("inf")
        while self._due and self._due[0][0] <= now:
            line = self._held.pop(self._due.popleft()[1], None)
            if line is not None:
                self._count(line)
                self._pending.append(line)

    def _count(self, line: Line) -> None:
        self.decided[outcome_and_reason(line)] += 1

    def _flush(self) -> bool:
        """Write one batch; False when it has to be tried again later."""
        if self._shelf is not None and time.monotonic() < self._retry_at:
            self._shelve()
            return not self._pending
        batch = [self._pending.popleft() for _ in range(min(len(self._pending), self._batch_max))]
        try:
            self._write(batch)
        except Unavailable as error:
            self._pending.extendleft(reversed(batch))
            self._retry_at = time.monotonic() + RETRY_SECONDS
            self._shelve()
            self._log(f"{error.message}; {len(self._pending) + self._shelved} lines wait")
            return False
        except Exception as error:
            # One line that can't be stored must not take the others of its batch with it.
            if len(batch) == 1:
                self._log(f"one line cannot be stored ({type(error).__name__})")
            else:
                self._pending.extendleft(reversed(batch))
                self._batch_max = len(batch) // 2
                return True
        self._batch_max = min(2 * self._batch_max, BATCH_MAX)
        return True

    @property
    def _shelved(self) -> int:
        return 0 if self._shelf is None else self._shelf.waiting

    def _shelve(self) -> None:
        """Put what waits on the disk, so that neither a long outage nor a restart loses it."""
        if self._shelf is None:
            return
        lines = [self._pending.popleft() for _ in range(len(self._pending))]
        try:
            kept = self._shelf.put(lines)
        except sqlite3.Error as error:
            kept = False
            self._log(f"the snapshot: {error}")
        if not kept:
            self._pending.extendleft(reversed(lines))

    def _write_shelved(self) -> None:
        """Write the oldest lines of the disk, when the database takes them again."""
        if self._shelf is None:
            return
        try:
            last_id, lines = self._shelf.first(BATCH_MAX)
            self._write_each(lines)
            self._shelf.drop(last_id)
        except (Unavailable, sqlite3.Error):
            self._retry_at = time.monotonic() + RETRY_SECONDS
            return
        if self._shelved:
            self._awake.set()

    def _write_each(self, lines: list[Line]) -> None:
        """Together, or one by one where one cannot be stored."""
        if not lines:
            return
        try:
            self._write(lines)
        except Unavailable:
            raise
        except Exception as error:
            if len(lines) == 1:
                self._log(f"one line cannot be stored ({type(error).__name__})")
                return
            for line in lines:
                self._write_each([line])

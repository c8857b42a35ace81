"""The worker's log during an outage: what each part says again every second is said seldom."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

EVERY_SECONDS = 30.0


class Repeats(logging.Filter):
    """Lets a warning through once in EVERY_SECONDS, with how often it was meant meanwhile."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        key, now = (record.name, str(record.msg)), self._clock()
        said_at, more = self._said.get(key, (float("-inf"), 0))
        if now - said_at < EVERY_SECONDS:
            self._said[key] = said_at, more + 1
            return False
        self._said[key] = now, 0
        if more:
            record.msg = f"{record.msg} ({more} more since the last line)"
        return True

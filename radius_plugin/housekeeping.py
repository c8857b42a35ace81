"""What is done every second beside the requests: log summaries, metrics, the snapshot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

EVERY_SECONDS = 1.0


class Housekeeping:
    """`tasks` are called with whether it is the last time; one that fails is logged and called
    again."""

    def __init__(self, tasks: Sequence[Callable[[bool], object]], log: Callable[[str], None]):
        self._tasks = tasks
        self._log = log
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)
        self._thread.start()

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Do everything a last time."""
        self._closing.set()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        ending = False
        while not ending:
            ending = self._closing.wait(EVERY_SECONDS)
            for task in self._tasks:
                try:
                    task(ending)
                except Exception as error:
                    self._log(f"{type(error).__name__}: {error}")

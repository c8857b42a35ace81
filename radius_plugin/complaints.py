"""What goes wrong for many requests at once is logged once, and then counted: an outage must not
fill the disk with its log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

SUMMARY_SECONDS = 10.0


class Complaints:
    """The first complaint of a kind is logged at once, what follows as one summary every
    SUMMARY_SECONDS (`tick`). A kind that was quiet for that long begins anew."""

    def __init__(
        self, log: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._clock = clock
        self._mutex = threading.Lock()
        self._since: dict[str, float] = {}
        self._more: dict[str, tuple[int, str]] = {}

    def say(self, kind: str, text: str) -> None:
        """`kind` is one of few (the hook's name); `text` holds no secret."""
        with self._mutex:
            if kind in self._since:
                count, _ = self._more.get(kind, (0, ""))
                self._more[kind] = count + 1, text
                return
            self._since[kind] = self._clock()
        self._log(f"{kind}: {text}")

    def tick(self, ending: bool = False) -> None:
        """Log the summaries that are due; all of them at the end."""
        now = self._clock()
        due: list[str] = []
        with self._mutex:
            for kind, since in list(self._since.items()):
                if not ending and now - since < SUMMARY_SECONDS:
                    continue
                count, text = self._more.pop(kind, (0, ""))
                if count:
                    self._since[kind] = now
                    due.append(f"{kind}: {count} more in {now - since:.0f} s, the last: {text}")
                else:
                    del self._since[kind]
        for line in due:
            self._log(line)

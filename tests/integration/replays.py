"""What a provider tells a thousand times, two hundred times at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from threading import Barrier

from flask import Flask

from billing.settings import Settings
from web import create_app

REPLAYS, AT_ONCE = 1_000, 200
_CONNECTIONS = 100


@contextmanager
def wide_panel(settings: Settings, now: datetime) -> Iterator[Flask]:
    """A panel with a connection for each that comes at once."""
    wide = settings.model_copy(update={"panel_connections": _CONNECTIONS})
    app = create_app(wide, clock=lambda: now)
    try:
        yield app
    finally:
        app.extensions["tollway"].close()


def replayed(tell: Callable[[], int]) -> Counter[int]:
    """How often each status was the answer. Nobody begins before all are there."""
    start = Barrier(AT_ONCE)

    def again(_: int) -> list[int]:
        start.wait()
        return [tell() for _ in range(REPLAYS // AT_ONCE)]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(status for told in pool.map(again, range(AT_ONCE)) for status in told)

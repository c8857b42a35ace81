"""Moves closed sessions into the history and drops what is old, every ten minutes (rule U11)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.services import history
from billing.services.context import Context
from billing.services.history import Retention

log = logging.getLogger(__name__)

PERIOD_SECONDS = 600.0
_BREATH_SECONDS = 0.01
"""Between two batches, so that a long walk leaves room for the meter."""


def run(
    context: Context,
    kept: Retention,
    stop: threading.Event,
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Until `stop` is set, which ends a walk between two batches; waits for a database that is
    away."""
    while not stop.is_set():
        try:
            tick(context, kept, stop, clock())
        except Unavailable as error:
            log.warning("moving old sessions waits for the database: %s", error)
        stop.wait(PERIOD_SECONDS)


def tick(context: Context, kept: Retention, stop: threading.Event, now: datetime) -> None:
    """One walk, and the days that are over. Raises Unavailable."""
    moved = history.move_closed_sessions(context, now, go_on=lambda: not stop.wait(_BREATH_SECONDS))
    if moved:
        log.info("moved %d closed sessions into the history", moved)
    for name in history.drop_old_days(context, now, kept):
        log.info("dropped %s, older than is kept", name)
    letters = history.drop_old_letters(
        context, now, kept, go_on=lambda: not stop.wait(_BREATH_SECONDS)
    )
    if letters:
        log.info("dropped %d dead letters, older than are kept", letters)

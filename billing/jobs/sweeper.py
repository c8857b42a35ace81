"""Ends service at the instant at which it expires or is cut (B3, B9); tells of tariffs (Q3)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.services import enforcement, tariff
from billing.services.context import Context

log = logging.getLogger(__name__)

LONGEST_SLEEP_SECONDS = 0.5
"""A change of state that is written after the sweep went to sleep is seen this late at most."""
_DATABASE_SECONDS = 1.0


def run(context: Context, stop: threading.Event, clock: Callable[[], datetime] = utc_now) -> None:
    """Sweep at each due instant until `stop` is set; waits for a database that is away."""
    told_until = clock() - tariff.LOOKED_BACK
    while not stop.is_set():
        try:
            now = clock()
            tariff.tell_switches(context, told_until, now)
            told_until = now
            if enforcement.sweep(context, clock()):
                continue
            due = enforcement.next_sweep_at(context)
        except Unavailable as error:
            log.warning("the sweep waits for the database: %s", error)
            stop.wait(_DATABASE_SECONDS)
            continue
        wait = LONGEST_SLEEP_SECONDS if due is None else (due - clock()).total_seconds()
        stop.wait(min(max(wait, 0.0), LONGEST_SLEEP_SECONDS))

"""Closes sessions that ended without a word, and orders off those that run unseen, once a minute
(rules U7, U10, C1)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.services import enforcement, silence
from billing.services.context import Context

log = logging.getLogger(__name__)

PERIOD_SECONDS = 60.0
WATCH = timedelta(minutes=15)
"""For so long the database must have been there without a break. After an outage of ours every
session seems silent, until its NAS reports again."""


class Reaper:
    """Knows since when silence means something."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._watching_since: datetime | None = None

    def tick(self, now: datetime) -> None:
        """Close what has ended, see to what has not. Raises Unavailable; the watch begins anew."""
        since, self._watching_since = self._watching_since, None
        silence.drop_lapsed_slots(self._context, now)
        rebooted = silence.close_rebooted(self._context, now)
        if rebooted:
            log.info("closed %d sessions that a NAS has lost by a reboot", rebooted)
        if since is not None and now - since >= WATCH:
            silent = silence.reap(self._context, now)
            if silent:
                log.info("closed %d sessions that fell silent", silent)
        enforcement.catch_up(self._context, now)
        self._watching_since = since or now


def run(context: Context, stop: threading.Event, clock: Callable[[], datetime] = utc_now) -> None:
    """Once a minute until `stop` is set; waits for a database that is away."""
    reaper = Reaper(context)
    while not stop.is_set():
        try:
            reaper.tick(clock())
        except Unavailable as error:
            log.warning("silent sessions wait for the database: %s", error)
        stop.wait(PERIOD_SECONDS)

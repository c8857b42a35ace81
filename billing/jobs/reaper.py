"""Closes sessions that ended without a word, and orders off those that run unseen, once a minute
(rules U7, U10, C1)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.services import enforcement, silence
from billing.services.context import Context

log = logging.getLogger(__name__)

PERIOD_SECONDS = 60.0


def run(context: Context, stop: threading.Event, clock: Callable[[], datetime] = utc_now) -> None:
    """Once a minute until `stop` is set; waits for a database that is away."""
    while not stop.is_set():
        try:
            tick(context, clock())
        except Unavailable as error:
            log.warning("silent sessions wait for the database: %s", error)
        stop.wait(PERIOD_SECONDS)


def tick(context: Context, now: datetime) -> None:
    """Close what has ended, see to what has not. Raises Unavailable."""
    silence.drop_lapsed_slots(context, now)
    rebooted = silence.close_rebooted(context, now)
    if rebooted:
        log.info("closed %d sessions that a NAS has lost by a reboot", rebooted)
    silent = silence.reap(context, now)
    if silent:
        log.info("closed %d sessions that fell silent", silent)
    silence.release_lapsed_grants(context, now)
    enforcement.catch_up(context, now)

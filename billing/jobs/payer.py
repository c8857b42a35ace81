"""Calls the providers of payments, several at once: what is to be charged or refunded, and what has
no outcome yet (rules P1, P7)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.services import payment_calls
from billing.services.context import Context
from billing.services.gateways import Gateways

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0
CALLS_AT_ONCE = 4
"""One provider that does not answer must not keep the others waiting for long."""
_DATABASE_SECONDS = 1.0


def run(
    context: Context,
    gateways: Gateways,
    stop: threading.Event,
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Carry out what is due until `stop` is set; waits for a database that is away."""
    with ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="payments") as pool:
        while not stop.is_set():
            try:
                if not payment_calls.run_due(context, gateways, clock, at_once=pool.map):
                    stop.wait(IDLE_SECONDS)
            except Unavailable as error:
                log.warning("payments wait for the database: %s", error)
                stop.wait(_DATABASE_SECONDS)

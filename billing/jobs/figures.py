"""The worker's figures for Prometheus: orders to NAS, messages, the certificate
(docs/operations.md)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.services import messages, metrics, upkeep
from billing.services.certificates import end_of_use
from billing.services.context import Context
from billing.services.metrics import Measure

log = logging.getLogger(__name__)

EVERY_SECONDS = 15.0
_MESSAGES = "Messages to customers: those that wait, and those of the last week given up."


def run(context: Context, path: Path, state_dir: Path, stop: threading.Event) -> None:
    """Write them until `stop` is set. A companion of the worker."""
    while True:
        try:
            orders, is_up = upkeep.orders_by_state(context, utc_now()), True
            sent = messages.by_state(context, utc_now())
        except Unavailable:
            orders, sent, is_up = {}, {}, False
        text = "CoA and Disconnect orders: open ones, and those given up in the last day."
        try:
            metrics.write(
                path,
                [
                    metrics.gauge("database_up", "1 while the database answers.", float(is_up)),
                    Measure("gauge", "coa_orders", text, orders, ("state",)),
                    Measure("gauge", "messages", _MESSAGES, sent, ("state",)),
                    *_certificate(state_dir),
                ],
            )
        except OSError as error:
            log.warning("the figures cannot be written: %s", error)
        if stop.wait(EVERY_SECONDS):
            return


def _certificate(state_dir: Path) -> Iterator[Measure]:
    """When the certificate that devices see ends, in seconds since 1970."""
    ends_at = end_of_use(state_dir)
    if ends_at is not None:
        text = "When the certificate for EAP ends."
        yield metrics.gauge("eap_certificate_end_seconds", text, ends_at.timestamp())

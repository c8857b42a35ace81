"""Composition root of the hooks: settings, lanes, batchers, and the bridge to radiusd's log.

radiusd loads one copy of this for all its module instances (radius.md F1); `start` is called once
by each of them and does its work the first time.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from billing.clock import utc_now
from billing.model.events import AccessRequest, LoginRecord
from billing.services.access import AccessDesk, AccessOutcome
from billing.services.clients import ClientBook
from billing.services.metering import Metered, is_data_error, keep_poison, meter_batch
from billing.services.secrets import SecretBox
from billing.settings import Settings
from billing.store.hotpath import HotConnection
from radius_plugin.batcher import Batcher
from radius_plugin.history import History

try:  # only inside radiusd
    import radiusd  # type: ignore[import-not-found]
except ImportError:
    radiusd = None

# FreeRADIUS's log levels (its log.h).
L_ERR, L_WARN = 4, 5


@dataclass(slots=True)
class Runtime:
    """What the hooks need while the server runs."""

    desk: AccessDesk
    clients: ClientBook
    client_lane: HotConnection
    client_mutex: threading.Lock
    decisions: Batcher[AccessRequest, AccessOutcome, HotConnection]
    logins: Batcher[LoginRecord, None, HotConnection]
    history: History
    usage: Batcher[Metered, None, HotConnection]


_runtime: Runtime | None = None
_starting = threading.Lock()


def start() -> None:
    """Read the settings and make ready; idempotent. Connections are made when first used, so that
    the server starts and keeps serving while the database is down."""
    global _runtime
    with _starting:
        if _runtime is None:
            _runtime = _compose(Settings())


def stop() -> None:
    """Write what waits to be written; idempotent."""
    with _starting:
        if _runtime is not None:
            _runtime.history.close()


def runtime() -> Runtime:
    """The running parts; RuntimeError before `start`."""
    if _runtime is None:
        raise RuntimeError("radius_plugin is not started")
    return _runtime


def log(level: int, message: str) -> None:
    """One line in radiusd's log; never a secret, never a packet's content."""
    if radiusd is not None:
        radiusd.radlog(level, f"tollway: {message}")
    else:
        print(message, file=sys.stderr)


def named(error: Exception) -> str:
    """What went wrong, for the log: what the error says of itself, else its kind."""
    return str(error) or type(error).__name__


def _compose(settings: Settings) -> Runtime:
    # The key is read now: a missing one must stop the server, not the first login.
    box = SecretBox(settings.secrets_key())
    desk = AccessDesk(box)

    def lane() -> HotConnection:
        return HotConnection(
            settings.dsn("radius"),
            statement_timeout_ms=settings.statement_timeout_ms,
            lock_timeout_ms=settings.lock_timeout_ms,
        )

    def batcher(run: Callable[[HotConnection, list[Any]], Sequence[Any]], **more: Any) -> Any:
        lanes = more.pop("lanes")
        return Batcher(
            [lane() for _ in range(lanes)],
            run,
            batch_max=settings.batch_max,
            queue_max=settings.queue_max,
            # Longer than a statement may take, shorter than radiusd's max_request_time.
            wait_seconds=2 * settings.statement_timeout_ms / 1000,
            **more,
        )

    def record(lane: HotConnection, logins: Sequence[LoginRecord]) -> list[None]:
        desk.record_batch(lane, logins, utc_now())
        return [None] * len(logins)

    return Runtime(
        desk=desk,
        clients=ClientBook(box),
        client_lane=lane(),
        client_mutex=threading.Lock(),
        decisions=batcher(
            lambda lane, requests: desk.decide_batch(lane, requests, utc_now()),
            lanes=settings.auth_lanes,
        ),
        logins=batcher(record, lanes=1),
        history=History(
            partial(record, lane()), partial(log, L_ERR), pending_max=settings.queue_max
        ),
        usage=batcher(
            lambda lane, records: meter_batch(lane, records, utc_now()),
            lanes=settings.acct_lanes,
            is_data_error=is_data_error,
            isolate=keep_poison,
        ),
    )

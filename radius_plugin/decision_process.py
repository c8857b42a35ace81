"""A process beside radiusd that decides logins: `python -m radius_plugin.decision_process FD CPUS`.

An interpreter of its own, on CPUs of its own (docs/adr/0015). It is asked batch by batch over a
socket and ends with it. It answers what `Decider` settles and what radiusd must do besides: notes
for the snapshot, lines for the log.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from socket import socket
from typing import Any

from billing.errors import Unavailable
from billing.services.access import AccessDesk
from billing.services.secrets import SecretBox
from billing.services.snapshot import SnapshotNotes
from billing.settings import Settings
from billing.store.hotpath import HotConnection
from radius_plugin import interpreter
from radius_plugin.answers import Decider
from radius_plugin.frames import receive, send

READY = "ready"


def main(descriptor: int, cpus: set[int]) -> None:
    """Serve until the other end closes the socket."""
    if cpus:
        os.sched_setaffinity(0, cpus)
    settings = Settings()
    notes = SnapshotNotes()
    log: list[str] = []
    decider = Decider(AccessDesk(SecretBox(settings.secrets_key()), notes), log.append)
    lane = HotConnection(
        settings.dsn("radius"),
        statement_timeout_ms=settings.statement_timeout_ms,
        lock_timeout_ms=settings.lock_timeout_ms,
    )
    interpreter.calm()
    # The end of radiusd is seen as the end of the connection, at whatever moment.
    with socket(fileno=descriptor) as wire, suppress(EOFError, OSError):
        send(wire, READY)
        while True:
            send(wire, _answered(decider, lane, receive(wire), notes, log))


def _answered(
    decider: Decider,
    lane: HotConnection,
    requests: Any,
    notes: SnapshotNotes,
    log: list[str],
) -> tuple[Any, ...]:
    """What the database did not do (None), or the settled answers; names to forget, accounts to
    note, lines to log."""
    try:
        settled = decider.settle_batch(lane, requests)
    except Unavailable as error:
        return error.message, None, *notes.packed(), ()
    lines, log[:] = tuple(log), []
    return None, settled, *notes.packed(), lines


if __name__ == "__main__":
    main(int(sys.argv[1]), {int(cpu) for cpu in sys.argv[2].split(",") if cpu})

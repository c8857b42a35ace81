"""`python -m rig.container.health SERVICE`: 0 when it serves. Small, as it is started every few
seconds: nothing but the standard library is loaded."""

from __future__ import annotations

import http.client
import os
import smtplib
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rig.status import serves

MAIL_PORT = 2525
_FIGURES_FRESH_SECONDS = 90.0
"""The worker writes its figures every 15 seconds, as long as it works."""


def radius() -> bool:
    """Both servers answer Status-Server."""
    return all(serves(_state() / f"raddb-{kind}", 2.0) for kind in ("auth", "acct"))


def worker() -> bool:
    """The worker's figures are fresh."""
    written = (_state() / "metrics" / "worker.prom").stat().st_mtime
    return time.time() - written < _FIGURES_FRESH_SECONDS


def web() -> bool:
    """The panel answers."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(os.environ["TOLLWAY_HTTP_PORT"]), timeout=5
    )
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    finally:
        connection.close()


def mail() -> bool:
    """The mail server greets."""
    with smtplib.SMTP("127.0.0.1", MAIL_PORT, timeout=5) as line:
        return line.noop()[0] == 250


CHECKS: Mapping[str, Callable[[], bool]] = {
    "radius": radius,
    "worker": worker,
    "web": web,
    "mail": mail,
}


def _state() -> Path:
    return Path(os.environ["TOLLWAY_STATE_DIR"])


def main(service: str) -> int:
    """1 when it does not serve, or not yet."""
    try:
        return 0 if CHECKS[service]() else 1
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

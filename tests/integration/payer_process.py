"""The worker's part that calls providers, in a process of its own whose clock is so many seconds
ahead: `python -m tests.integration.payer_process SECONDS`."""

from __future__ import annotations

import sys
import threading
from datetime import timedelta

from billing.clock import utc_now
from billing.jobs import payer
from billing.payments.registry import open_gateway
from billing.services.context import Context
from billing.services.gateways import Gateways
from billing.services.secrets import SecretBox
from billing.settings import Settings
from billing.store.pool import Database


def main() -> None:
    ahead = timedelta(seconds=int(sys.argv[1]))
    settings = Settings()
    context = Context(
        db=Database(settings.dsn("worker")), box=SecretBox(settings.secrets_key()), actor="worker"
    )
    payer.run(context, Gateways(open_gateway), threading.Event(), lambda: utc_now() + ahead)


if __name__ == "__main__":
    main()

"""A worker that is killed again and again while it tells a webhook: nothing lost, and what is told
twice comes under the same idempotency key (docs/adr/0017)."""

from __future__ import annotations

import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from billing.clock import utc_now
from billing.model.messages import MessageChannel, MessageState
from billing.services import holds, messages
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from rig import processes
from rig.processes import Process
from tests.factories import MONTH_PLAN, MONTHLY, Factory
from tests.integration.webhook_server import SECRET, Told, WebhookServer
from tests.waiting import until

MESSAGES = 45  # more than two batches
KILLS = 5
SECONDS = 60.0


@pytest.fixture
def server() -> Iterator[WebhookServer]:
    opened = WebhookServer()
    opened.start()
    yield opened
    opened.stop()


@pytest.fixture
def start(settings: Settings, server: WebhookServer, product_copy: Path) -> Callable[[], Process]:
    """Starts a worker."""
    secret = settings.state_dir / "webhook-secret"  # the worker's account may read it there
    secret.write_text(f"{SECRET}\n", encoding="utf-8")

    def started() -> Process:
        return processes.start(
            f"webhook-{os.urandom(3).hex()}",
            [sys.executable, "-m", "billing.cli", "worker"],
            run_dir=settings.state_dir / "run",
            log_dir=settings.state_dir / "log",
            env={
                "PYTHONPATH": str(product_copy),
                "TOLLWAY_STATE_DIR": str(settings.state_dir),
                "TOLLWAY_DATABASE_URL": settings.database_url,
                "TOLLWAY_DATABASE_NAME": settings.database_name,
                "TOLLWAY_WEBHOOK_URL": server.url,
                "TOLLWAY_WEBHOOK_SECRET_FILE": str(secret),
            },
        )

    return started


def test_a_worker_that_is_killed_loses_nothing_and_repeats_under_the_same_key(
    context: Context, make: Factory, server: WebhookServer, start: Callable[[], Process]
) -> None:
    numbers = {_told_to_call(context, make) for _ in range(MESSAGES)}
    chance = random.Random(11)
    for _ in range(KILLS):
        _killed_in_the_middle(server, start, chance)
        assert _left(context), "all was sent before it was killed"
        _end_leases(context)
    server.on_told = lambda _told: None
    last = start()
    try:
        until(lambda: not _left(context), seconds=SECONDS)
    finally:
        last.stop()
    keys: dict[str, set[str]] = {}
    for told in server.told:
        (number,) = told.message["to"]
        keys.setdefault(number, set()).add(told.headers["Idempotency-Key"])
        assert told.headers["Idempotency-Key"] == told.message["id"]
    assert set(keys) == numbers
    assert all(len(found) == 1 for found in keys.values())
    assert len(set.union(*keys.values())) == MESSAGES
    # Each kill leaves at most the one message that was told and not noted.
    assert MESSAGES < len(server.told) <= MESSAGES + KILLS


def _told_to_call(context: Context, make: Factory) -> str:
    """A customer of whom one message waits; the number that it goes to."""
    now = utc_now()
    owner = make.subscriber(now, profile=MONTHLY, plan=MONTH_PLAN)
    number = f"+346{owner.customer_id:08d}"
    messages.set_alerts(context, owner.customer_id, now, numbers=[number])
    holds.suspend(context, owner.subscription_id, note="for staff only", now=now)
    return number


def _killed_in_the_middle(
    server: WebhookServer, start: Callable[[], Process], chance: random.Random
) -> None:
    """With the request in and no answer out, or a moment after the answer."""
    known, more, later = len(server.told), chance.randint(1, 6), chance.choice([0, 0, 0.002, 0.01])
    worker = start()

    def kill(_told: Told) -> None:
        if len(server.told) < known + more:
            return
        if later:
            threading.Timer(later, worker.kill).start()
        else:
            worker.kill()

    server.on_told = kill
    try:
        until(lambda: not worker.alive(), seconds=SECONDS)
    finally:
        worker.stop()


def _left(context: Context) -> int:
    row = tables.Message
    with context.transaction() as tx:
        return int(
            tx.scalar(
                select(func.count())
                .select_from(row)
                .where(
                    row.channel == MessageChannel.WEBHOOK.value,
                    row.state.in_([MessageState.QUEUED.value, MessageState.FAILED.value]),
                )
            )
            or 0
        )


def _end_leases(context: Context) -> None:
    """What the dead worker had taken is due again."""
    row = tables.Message
    with context.transaction() as tx:
        tx.execute(
            update(row)
            .where(row.channel == MessageChannel.WEBHOOK.value, row.sent_at.is_(None))
            .values(next_attempt_at=utc_now())
        )

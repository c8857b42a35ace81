"""A worker that is killed while it takes payments and gives them back: nothing is charged twice,
and all that was taken is in the books (rules P1, M5)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from billing.clock import utc_now
from billing.model.payments import PaymentState
from billing.services import books, payments
from billing.services.context import Context
from billing.settings import Settings
from billing.store import payments as store
from rig.provider import Provider
from tests.factories import Factory
from tests.integration.till import Till

PAYMENTS = 120
REFUNDED = 30
KILLS = 6
HOUR = 3_600
LONGEST_SECONDS = 240.0
CHECKOUT = Path(__file__).resolve().parents[2]


class SlowProvider(Provider):
    """Takes a moment, so that kills fall between its doing and its answer, too."""

    def answer(
        self, method: str, path: str, body: dict[str, object]
    ) -> tuple[int, dict[str, object]]:
        time.sleep(0.02)
        done = super().answer(method, path, body)
        time.sleep(0.04)
        return done


@pytest.mark.rule("M5")
def test_a_worker_that_is_killed_charges_nobody_twice(
    context: Context, make: Factory, settings: Settings
) -> None:
    now = utc_now()
    chance = random.Random(11)
    with SlowProvider().serving() as provider:
        till = Till(context, make, provider, now)
        people = [till.customer() for _ in range(20)]
        paid = [till.pay(people[place % 20], 7) for place in range(REFUNDED)]
        provider.calls.clear()
        for one in paid:
            till.refund(one, 3)
        made = [till.begin(people[place % 20], 5) for place in range(PAYMENTS)]
        ahead, kills, give_up = 0, 0, time.monotonic() + LONGEST_SECONDS
        while _waiting(context) and time.monotonic() < give_up:
            killed = kills < KILLS
            _work(settings, ahead, context, chance.uniform(0.2, 0.9) if killed else None)
            kills += killed
            ahead += HOUR  # whoever was taken by the dead one is let go
            assert books.check_ledger(context, now).findings == ()
        assert not _waiting(context)
        states = Counter(till.seen(one).state for one in made)
        assert states.keys() <= {PaymentState.SUCCEEDED, PaymentState.FAILED}
        assert states[PaymentState.FAILED] < PAYMENTS / 4, "the kills were not in the middle"
        for one in made:
            taken = one.key in provider.payments
            assert (till.seen(one).state is PaymentState.SUCCEEDED) == taken
        posts = Counter(key for call, key in provider.calls if call.startswith("POST"))
        assert set(posts.values()) == {1}
        assert sum(till.balance(who) for who in people) == provider.taken_minor() // 100
        till.now = now + timedelta(seconds=ahead)
        till.check()


def _waiting(context: Context) -> bool:
    states = [state for state in PaymentState if state.is_open]
    if payments.listed(context, states=states, limit=1):
        return True
    with context.transaction() as tx:
        return bool(store.due_reversals(tx, utc_now() + timedelta(days=30), 1))


def _work(settings: Settings, ahead: int, context: Context, seconds: float | None) -> None:
    """Run a worker, and kill it after so long; None: when nothing is left to do."""
    environment = os.environ | {
        "TOLLWAY_STATE_DIR": str(settings.state_dir),
        "TOLLWAY_DATABASE_URL": settings.database_url,
        "TOLLWAY_DATABASE_NAME": settings.database_name,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.payer_process", str(ahead)],
        env=environment,
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    known = _progress(context)
    try:
        waited = time.monotonic() + 60
        while _progress(context) == known and time.monotonic() < waited and _waiting(context):
            time.sleep(0.01)
        if seconds is not None:
            time.sleep(seconds)
        else:
            waited = time.monotonic() + 30
            while _waiting(context) and time.monotonic() < waited:
                time.sleep(0.1)
    finally:
        process.kill()
        process.wait()


def _progress(context: Context) -> int:
    open_now = [state for state in PaymentState if state.is_open]
    found = payments.listed(context, states=open_now, limit=500)
    return sum(one.lookups + (one.sent_at is None) * 1_000 for one in found)

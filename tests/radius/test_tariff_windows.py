"""A free window from login to switch, on real software (rules Q3, A5, C1, C4)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from billing.clock import utc_now
from billing.jobs import sweeper
from billing.model.network import Vendor
from billing.services.context import Context
from billing.store import tables
from rig.radius import RadiusServer
from tests.factories import DAY_PLAN, Factory
from tests.radius.meter import intents, left, sessions
from tests.radius.sending import sending

BOUGHT = 10_000_000
QUOTA = "ChilliSpot-Max-Total-Octets"
_SPARE = timedelta(seconds=10)


def free_until(end: datetime) -> str:
    """A window of two hours that ends at this minute, every day (the operator's zone is UTC)."""
    until = end.hour * 60 + end.minute
    since = (until - 120) % 1440
    return f"late:0123456:{since}:{until if until > since else until + 1440}:free"


@contextmanager
def sweeping(context: Context) -> Iterator[None]:
    """The part of the worker that tells switches."""
    stop = threading.Event()
    thread = threading.Thread(target=sweeper.run, args=(context, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


@pytest.mark.rule("Q3", "A5", "C1", "C4")
def test_a_free_window_ends_under_a_running_session(
    context: Context, make: Factory, radius: dict[str, RadiusServer], now: datetime
) -> None:
    begins_at = utc_now()
    end = (begins_at + _SPARE).replace(second=0, microsecond=0) + timedelta(minutes=1)
    plan = replace(DAY_PLAN, tariff_windows=free_until(end))
    subscriber = make.subscriber(now, plan=plan)
    make.package(subscriber, now, valid_for=timedelta(days=1), octets=BOUGHT)
    ports = {"auth_port": radius["auth"].port, "acct_port": radius["acct"].port}
    with (
        make.simulated_nas(now, vendor=Vendor.CHILLI, **ports) as nas,
        sending(context),
        sweeping(context),
    ):
        accepted = nas.login(subscriber.username, subscriber.password)
        assert accepted.result == "accept", accepted
        assert accepted.first(QUOTA) is None  # what is free is not limited
        timeout = accepted.first("Session-Timeout")
        assert isinstance(timeout, int) and timeout > 86_000  # the end of the package
        session = nas.begin(subscriber.username, subscriber.password)
        assert nas.interim(session, seconds=1, input_octets=400_000, output_octets=2_600_000)
        assert left(context, subscriber) == [(None, BOUGHT)]
        assert nas.orders == []

        order = nas.wait_for_orders(1, timeout_seconds=90)[0]
        assert utc_now() >= end
        assert order.kind == "CoA-Request"
        assert order.genuine
        (quota,) = order.attributes[QUOTA]
        assert isinstance(quota, int)
        assert quota >= 3_000_000 + BOUGHT  # counted by the NAS from the session's beginning
        assert "Session-Timeout" in order.attributes
        again = nas.login(subscriber.username, subscriber.password)
        assert again.first(QUOTA) == BOUGHT

        time.sleep(max(0.0, (end + timedelta(seconds=2) - utc_now()).total_seconds()))
        online = (utc_now() - begins_at) // timedelta(seconds=1)
        assert nas.interim(session, seconds=online, input_octets=400_000, output_octets=5_600_000)
        (row,) = sessions(context, subscriber)
        assert row.last_event_at > end
        slices = sliced(context, subscriber.subscription_id)
        assert slices["free"] + slices["entitlement"] == 6_000_000
        assert 3_000_000 <= slices["free"] < 6_000_000
        assert left(context, subscriber) == [(None, BOUGHT - slices["entitlement"])]

        # From here on all of it is paid for.
        session.seconds, session.output_octets = online + 1, 7_600_000
        assert nas.stop(session)
        assert sliced(context, subscriber.subscription_id)["free"] == slices["free"]
        assert left(context, subscriber) == [(None, BOUGHT - slices["entitlement"] - 2_000_000)]
    assert [goal for goal, _, _ in intents(context, subscriber)] == ["tariff"]


def sliced(context: Context, subscription_id: int) -> dict[str, int]:
    """Octets by kind."""
    found = {"free": 0, "entitlement": 0}
    with context.transaction() as tx:
        slice_ = tables.DailyUsage
        for row in tx.scalars(select(slice_).where(slice_.subscription_id == subscription_id)):
            found[row.kind] += row.input_octets + row.output_octets
    return found

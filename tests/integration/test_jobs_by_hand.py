"""What the worker does all the time can be done by hand, too, for an instant of one's choice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing.jobs.registry import JOBS
from billing.services import subscribers
from billing.services.context import Context
from tests.factories import Factory
from tests.integration.meter_world import MeterWorld, at, start

NOW = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.rule("B3")
def test_a_sweep_ends_what_has_expired(context: Context, make: Factory) -> None:
    who = make.subscriber(NOW)
    make.package(who, NOW, valid_for=DAY)
    JOBS["sweep"].run(context, NOW)
    assert JOBS["sweep"].run(context, NOW + DAY - timedelta(seconds=1)) == ""
    assert JOBS["sweep"].run(context, NOW + DAY) == "looked at 1 customers"
    assert JOBS["sweep"].run(context, NOW + DAY) == ""
    assert subscribers.show(context, who.subscription_id, NOW + DAY).row.state.rule == "S7"


@pytest.mark.rule("U10")
def test_silent_sessions_are_closed(world: MeterWorld, context: Context) -> None:
    who = world.customer(requires_entitlement=False)
    world.charge(start(who, at(0)))
    assert JOBS["reap"].run(context, at(1)) == ""
    said = "closed 1 silent sessions and 0 that a reboot of their NAS has ended"
    assert JOBS["reap"].run(context, at(10_000)) == said
    assert world.session(who).closed_at is not None

"""Fifty sessions that drain one allowance through real FreeRADIUS, strict and shared (rule Q4).

The NAS obeys what came over the wire and nothing else; what went over its lines is counted there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from billing.model.network import Vendor
from billing.model.plan import PlanTerms, Sharing
from billing.store import tables
from rig.nas import SimulatedNas
from rig.radius import RadiusServer
from tests.factories import DAY_PLAN, Factory, Subscriber
from tests.radius.draining import CHILLI, PPP, REPORT_TICKS, DrainingNas
from tests.radius.sending import sending

DEVICES = 50
ALLOWANCE = 150_000_017
SHARED = replace(DAY_PLAN, interim_seconds=60)
STRICT = replace(
    SHARED, octets=ALLOWANCE, sharing=Sharing.STRICT, slice_octets=2_000_000, slice_seconds=3600
)
RATES = [5_000 + 900 * number for number in range(DEVICES)]
"""Octets a tick: some use up a slice between two reports, some in several."""


@pytest.fixture(scope="module")
def radius_threads() -> int:
    return 32


@contextmanager
def played(
    make: Factory, radius: dict[str, RadiusServer], now: datetime, vendor: Vendor
) -> Iterator[SimulatedNas]:
    ports = {"auth_port": radius["auth"].port, "acct_port": radius["acct"].port}
    with make.simulated_nas(now, vendor=vendor, **ports) as nas:
        nas.resends = 20
        yield nas


def buyer(make: Factory, now: datetime, plan: PlanTerms) -> Subscriber:
    subscriber = make.subscriber(now, plan=plan)
    make.package(subscriber, now, octets=ALLOWANCE, valid_for=timedelta(days=1))
    return subscriber


def stored(make: Factory, subscriber: Subscriber) -> tuple[int, int, int]:
    """Octets left, octets overspent, and octets that reservations hold."""
    bought, over, held = tables.Entitlement, tables.Overspend, tables.Reservation
    with make.context.transaction() as tx:
        return (
            tx.scalars(
                select(bought.octets_left).where(
                    bought.subscription_id == subscriber.subscription_id
                )
            ).one()
            or 0,
            int(
                tx.scalar(
                    select(func.sum(over.octets)).where(
                        over.subscription_id == subscriber.subscription_id
                    )
                )
                or 0
            ),
            int(
                tx.scalar(
                    select(func.count()).where(
                        held.subscription_id == subscriber.subscription_id, held.state == "held"
                    )
                )
                or 0
            ),
        )


@pytest.mark.rule("Q4")
def test_strict_sessions_use_all_and_not_an_octet_more(
    make: Factory, radius: dict[str, RadiusServer], now: datetime
) -> None:
    subscriber = buyer(make, now, STRICT)
    with played(make, radius, now, Vendor.CHILLI) as nas, sending(make.context):
        drained = DrainingNas(nas, CHILLI, allowance=ALLOWANCE)
        drained.drain(subscriber.username, subscriber.password, RATES)
    assert drained.transmitted == ALLOWANCE
    assert stored(make, subscriber) == (0, 0, 0)
    # Both ways to another slice were taken: by CoA, and by logging in again.
    assert drained.changes > 0
    assert len(drained.lines) > DEVICES


@pytest.mark.rule("Q4")
def test_strict_sessions_of_a_router_that_limits_each_direction(
    make: Factory, radius: dict[str, RadiusServer], now: datetime
) -> None:
    subscriber = buyer(make, now, STRICT)
    with played(make, radius, now, Vendor.MIKROTIK) as nas, sending(make.context):
        drained = DrainingNas(nas, PPP, allowance=ALLOWANCE, extra={"Framed-Protocol": "PPP"})
        drained.drain(subscriber.username, subscriber.password, RATES)
    assert ALLOWANCE - 1 <= drained.transmitted <= ALLOWANCE
    left, overspent, held = stored(make, subscriber)
    assert (left, overspent, held) == (ALLOWANCE - drained.transmitted, 0, 0)
    assert drained.changes > 0


@pytest.mark.rule("Q4")
def test_overspend_of_shared_sessions_is_bounded_and_measured(
    make: Factory, radius: dict[str, RadiusServer], now: datetime
) -> None:
    subscriber = buyer(make, now, SHARED)
    with played(make, radius, now, Vendor.CHILLI) as nas, sending(make.context):
        drained = DrainingNas(nas, CHILLI, allowance=ALLOWANCE)
        drained.drain(subscriber.username, subscriber.password, RATES)
    overspent = drained.transmitted - ALLOWANCE
    assert overspent > 0
    assert stored(make, subscriber) == (0, overspent, 0)
    # Of each session: one interval that was not reported yet, and what it did until it was cut.
    bound = sum(
        line.rate * (REPORT_TICKS + 1 + line.ticks_since_exhaustion) for line in drained.lines
    )
    assert overspent <= bound

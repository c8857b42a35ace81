"""At a tariff switch running sessions get an order, once, and its limits are right (Q3, C1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from billing.clock import utc_now
from billing.model.enforcement import Goal, SessionOrder
from billing.model.network import Link, Vendor
from billing.services import orders, tariff
from billing.services.context import Context
from billing.store import tables
from rig.nas import SimulatedNas
from tests.factories import DAY_PLAN, Factory, Subscriber

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NIGHT = replace(DAY_PLAN, tariff_windows="night:0123456:0:360:free", speed_down_kbps=8_000)
EVENING = replace(DAY_PLAN, tariff_windows="night:0123456:1200:1320:free")


@pytest.fixture
def midnight() -> datetime:
    """The last one, in the operator's zone, UTC."""
    return utc_now().replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def router(make: Factory, midnight: datetime) -> Iterator[SimulatedNas]:
    with make.simulated_nas(midnight - HOUR, vendor=Vendor.MIKROTIK) as simulated:
        yield simulated


def online(
    make: Factory, router: SimulatedNas, at: datetime, template: object = NIGHT, **package: object
) -> Subscriber:
    subscriber = make.subscriber(at, plan=template)  # type: ignore[arg-type]
    make.package(subscriber, at, valid_for=timedelta(days=3), **package)  # type: ignore[arg-type]
    make.session(subscriber, router, at, link=Link.PPP)
    return subscriber


def goals(context: Context, subscriber: Subscriber) -> list[str]:
    with context.transaction() as tx:
        return list(
            tx.scalars(
                select(tables.CoaIntent.goal)
                .where(tables.CoaIntent.subscription_id == subscriber.subscription_id)
                .order_by(tables.CoaIntent.intent_id)
            )
        )


def due(context: Context, subscriber: Subscriber, now: datetime) -> SessionOrder:
    found = orders.claim_due(context, now, limit=100)
    (order,) = (one for one in found if one.customer_id == subscriber.customer_id)
    return order


@pytest.mark.rule("Q3", "C1")
def test_who_is_online_is_told_once_and_nobody_else(
    context: Context, make: Factory, router: SimulatedNas, midnight: datetime
) -> None:
    before, after = midnight - 30 * MINUTE, midnight + 5 * MINUTE
    owl = online(make, router, before, octets=10**9)
    plain = online(make, router, before, DAY_PLAN, octets=10**9)
    evening = online(make, router, before, EVENING, octets=10**9)
    gone = online(make, router, before, octets=10**9)
    with context.transaction() as tx:
        tx.execute(
            update(tables.LiveSession)
            .where(tables.LiveSession.subscription_id == gone.subscription_id)
            .values(closed_at=before)
        )
    assert tariff.tell_switches(context, before, midnight - MINUTE) == 0
    assert goals(context, owl) == []
    tariff.tell_switches(context, before, midnight)
    assert tariff.tell_switches(context, before, midnight + MINUTE) == 0
    late = online(make, router, after, octets=10**9)  # it logs in with the right limits
    assert tariff.tell_switches(context, before, after + MINUTE) == 0
    assert [goals(context, who) for who in (owl, plain, evening, gone, late)] == [
        *(["tariff"], [], [], [], [])
    ]
    tariff.tell_switches(context, after, midnight + 6 * HOUR)
    assert [goals(context, who) for who in (owl, late)] == [["tariff"] * 2, ["tariff"]]


@pytest.mark.rule("Q3", "M6")
def test_the_package_in_use_has_the_windows(
    context: Context, make: Factory, router: SimulatedNas, midnight: datetime
) -> None:
    before = midnight - 30 * MINUTE
    owl = online(make, router, before, octets=10**9)
    with context.transaction() as tx:
        other = tx.scalar(
            select(tables.PlanVersion.plan_version_id).where(
                tables.PlanVersion.plan_id == make.plan(before, DAY_PLAN)
            )
        )
        tx.execute(
            update(tables.Subscription)
            .where(tables.Subscription.subscription_id == owl.subscription_id)
            .values(plan_version_id=other)
        )
    tariff.tell_switches(context, before, midnight)
    assert goals(context, owl) == ["tariff"]


@pytest.mark.rule("Q3", "A5")
def test_limits_at_the_switch_count_only_what_was_not_free(
    context: Context, make: Factory, router: SimulatedNas, midnight: datetime
) -> None:
    """Heard of last at 23:58 and then at 05:50; two hours and 10⁸ octets are bought."""
    begun = midnight - HOUR
    owl = online(make, router, begun, octets=10**8, seconds=7_200)

    def heard(at: datetime, octets: int, seconds_left: int) -> None:
        with context.transaction() as tx:
            tx.execute(
                update(tables.LiveSession)
                .where(tables.LiveSession.subscription_id == owl.subscription_id)
                .values(
                    session_seconds=(at - begun).total_seconds(),
                    input_octets=octets,
                    last_event_at=at,
                )
            )
            tx.execute(
                update(tables.Entitlement)
                .where(tables.Entitlement.subscription_id == owl.subscription_id)
                .values(seconds_left=seconds_left, octets_left=10**8 - 10**6)
            )

    heard(midnight - 2 * MINUTE, 10**6, 7_200 - 58 * 60)
    tariff.tell_switches(context, begun, midnight)
    order = due(context, owl, midnight)
    assert (order.goal, order.used_octets) == (Goal.TARIFF, 10**6)
    assert order.service is not None
    assert order.service.limits.total_octets is None
    # 62 minutes are left of the two hours as of 23:58, six hours of the night do not count.
    seconds = order.service.limits.session_seconds
    assert seconds is not None
    assert begun + timedelta(seconds=order.used_seconds + seconds) == (
        midnight + 6 * HOUR + 60 * MINUTE
    )
    morning = midnight + 6 * HOUR
    heard(morning - 10 * MINUTE, 10**6 + 5 * 10**8, 60 * 60)
    with context.transaction() as tx:
        tx.execute(update(tables.CoaIntent).values(state="confirmed", finished_at=midnight))
    tariff.tell_switches(context, midnight, morning)
    order = due(context, owl, morning)
    assert order.service is not None
    assert order.service.limits.total_octets == 10**8 - 10**6
    seconds = order.service.limits.session_seconds
    assert seconds is not None
    assert begun + timedelta(seconds=order.used_seconds + seconds) == morning + HOUR
    # Ten minutes at 2 and 8 Mbit/s may have gone by for nothing since the last accounting.
    assert order.used_octets == 10**6 + 5 * 10**8 + 600 * 10_000 * 1_000 // 8

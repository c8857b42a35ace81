"""Sessions that run although their subscription was held back before they were known (C1, U5)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from billing.model.account import HoldBehaviour
from billing.services import enforcement, holds
from billing.services.context import Context
from billing.store import tables
from rig.nas import SimulatedNas
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber

A_MINUTE = timedelta(minutes=1)


@pytest.fixture
def router(make: Factory, now: datetime) -> Iterator[SimulatedNas]:
    with make.simulated_nas(now) as simulated:
        yield simulated


@pytest.fixture
def subscriber(make: Factory, now: datetime) -> Subscriber:
    return make.subscriber(now, profile=MONTHLY, plan=MONTH_PLAN)


def hold(
    context: Context,
    subscriber: Subscriber,
    now: datetime,
    behaviour: HoldBehaviour = HoldBehaviour.REJECT,
) -> None:
    holds.suspend(
        context, subscriber.subscription_id, note="call back", now=now, behaviour=behaviour
    )


def ordered(context: Context, subscriber: Subscriber) -> list[str]:
    with context.transaction() as tx:
        return list(
            tx.scalars(
                select(tables.CoaIntent.goal)
                .where(tables.CoaIntent.subscription_id == subscriber.subscription_id)
                .order_by(tables.CoaIntent.intent_id)
            )
        )


def set_sessions(context: Context, subscriber: Subscriber, **values: object) -> None:
    with context.transaction() as tx:
        tx.execute(
            update(tables.LiveSession)
            .where(tables.LiveSession.subscription_id == subscriber.subscription_id)
            .values(**values)
        )


@pytest.mark.rule("C1")
@pytest.mark.parametrize("session_class", ["", None])
def test_a_start_that_comes_after_the_orders_is_ordered_off(
    make: Factory,
    context: Context,
    router: SimulatedNas,
    subscriber: Subscriber,
    now: datetime,
    session_class: str | None,
) -> None:
    hold(context, subscriber, now)
    make.session(subscriber, router, now + A_MINUTE, session_class=session_class)
    assert ordered(context, subscriber) == []
    assert enforcement.catch_up(context, now + 2 * A_MINUTE) == 1
    assert ordered(context, subscriber) == ["disconnect"]
    assert enforcement.catch_up(context, now + 3 * A_MINUTE) == 0


@pytest.mark.rule("U10", "U5")
def test_a_session_taken_for_ended_that_is_heard_of_again_is_ordered_off(
    make: Factory, context: Context, router: SimulatedNas, subscriber: Subscriber, now: datetime
) -> None:
    make.session(subscriber, router, now)
    set_sessions(context, subscriber, closed_at=now, terminate_cause="Lost-Stop")
    hold(context, subscriber, now + A_MINUTE, HoldBehaviour.SUSPENDED_POOL)
    assert ordered(context, subscriber) == []
    set_sessions(context, subscriber, closed_at=None, terminate_cause=None)
    assert enforcement.catch_up(context, now + 2 * A_MINUTE) == 1
    assert ordered(context, subscriber) == ["suspend"]


@pytest.mark.rule("C1")
def test_what_has_its_order_or_its_place_is_left_alone(
    make: Factory, context: Context, router: SimulatedNas, subscriber: Subscriber, now: datetime
) -> None:
    make.session(subscriber, router, now)
    hold(context, subscriber, now, HoldBehaviour.SUSPENDED_POOL)
    assert ordered(context, subscriber) == ["suspend"]
    make.session(subscriber, router, now + A_MINUTE, suspended=True)
    assert enforcement.catch_up(context, now + 2 * A_MINUTE) == 0
    with context.transaction() as tx:
        tx.execute(
            update(tables.CoaIntent)
            .where(tables.CoaIntent.subscription_id == subscriber.subscription_id)
            .values(state="failed", finished_at=now)
        )
    assert enforcement.catch_up(context, now + 2 * A_MINUTE) == 0

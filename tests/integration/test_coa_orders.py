"""Orders to running sessions: which are written, listed, taken up again (rules B4, C1, Q2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from billing.errors import Conflict, NotFound, Refused
from billing.model.enforcement import Goal, OrderResult, Outcome, PacketKind, SessionOrder
from billing.model.events import AccountingRecord, Status
from billing.model.network import Link, Vendor
from billing.model.orders import OrderState, OrderView
from billing.services import coa, enforcement, holds, orders, speeds
from billing.services.context import Context
from billing.settings import Settings
from billing.store import enforcement as store
from billing.store import tables
from billing.store.customers import lock_customer
from billing.store.hotpath import HotConnection, charge_usage, usage_row
from rig.nas import SimulatedNas
from tests.factories import DAY_PLAN, Factory, Subscriber

A_DAY = timedelta(days=1)
ONE_SECOND = timedelta(seconds=1)


@pytest.fixture
def router(make: Factory, now: datetime) -> Iterator[SimulatedNas]:
    with make.simulated_nas(now, vendor=Vendor.MIKROTIK) as simulated:
        yield simulated


@pytest.fixture
def subscriber(make: Factory, now: datetime) -> Subscriber:
    found = make.subscriber(now)
    make.package(found, now, valid_for=A_DAY)
    return found


def write(
    context: Context, session_id: int, goal: Goal, now: datetime, reason: str = "expired"
) -> int:
    with context.transaction() as tx:
        session = tx.scalars(
            select(tables.LiveSession).where(tables.LiveSession.session_id == session_id)
        ).one()
        store.insert_intent(tx, session, goal=goal, reason=reason, now=now)
        tx.flush()
        return max(tx.scalars(select(tables.CoaIntent.intent_id)))


def claim(context: Context, order_id: int, now: datetime) -> SessionOrder:
    (claimed,) = [
        one for one in orders.claim_due(context, now, limit=1000) if one.intent_id == order_id
    ]
    return claimed


def fail(context: Context, order_id: int, now: datetime) -> None:
    """The NAS refuses it for good."""
    result = OrderResult(
        order=claim(context, order_id, now),
        packet=PacketKind.DISCONNECT,
        sent_at=now,
        outcome=Outcome.NAK,
        answered_at=now,
        error_cause="Administratively-Prohibited",
    )
    orders.record_results(context, [result], now)


def listed(context: Context, subscriber: Subscriber, *states: OrderState) -> list[OrderView]:
    return coa.list_orders(
        context,
        states=states or list(OrderState),
        subscription_id=subscriber.subscription_id,
    )


def reconcile(context: Context, subscriber: Subscriber, now: datetime) -> list[str]:
    """The goals of the orders that it writes."""
    before = {view.order_id for view in listed(context, subscriber)}
    with context.transaction() as tx:
        lock_customer(tx, subscriber.customer_id)
        enforcement.reconcile(tx, context, subscriber.customer_id, now)
    after = listed(context, subscriber)
    return [view.goal.value for view in after if view.order_id not in before]


@pytest.mark.rule("Q2", "B4")
def test_another_package_brings_its_speed_to_the_running_session(
    context: Context, make: Factory, router: SimulatedNas, subscriber: Subscriber, now: datetime
) -> None:
    fast = replace(DAY_PLAN, speed_up_kbps=20_000, speed_down_kbps=100_000)
    make.session(subscriber, router, now)
    package = make.package(subscriber, now, valid_from=now + A_DAY, valid_for=A_DAY, follows=True)
    plan_id = make.plan(now, fast)
    with context.transaction() as tx:
        version = tx.scalars(
            select(tables.PlanVersion.plan_version_id).where(tables.PlanVersion.plan_id == plan_id)
        ).one()
        tx.execute(
            update(tables.Entitlement)
            .where(tables.Entitlement.entitlement_id == package)
            .values(plan_version_id=version)
        )
    assert reconcile(context, subscriber, now) == []
    enforcement.sweep(context, now + A_DAY)
    (order,) = listed(context, subscriber, OrderState.PENDING)
    assert order.goal is Goal.SPEED
    claimed = claim(context, order.order_id, now + A_DAY)
    assert claimed.service is not None
    assert (claimed.service.speed_up_kbps, claimed.service.speed_down_kbps) == (20_000, 100_000)
    assert reconcile(context, subscriber, now + A_DAY + ONE_SECOND) == []


@pytest.mark.rule("Q2")
def test_a_speed_of_its_own_is_told_to_running_sessions(
    context: Context, make: Factory, router: SimulatedNas, subscriber: Subscriber, now: datetime
) -> None:
    make.session(subscriber, router, now)
    speeds.set_speed(
        context, subscriber.subscription_id, up_kbps=64, down_kbps=None, now=now + ONE_SECOND
    )
    (order,) = listed(context, subscriber, OrderState.PENDING)
    claimed = claim(context, order.order_id, now + ONE_SECOND)
    assert claimed.goal is Goal.SPEED
    assert claimed.service is not None
    assert (claimed.service.speed_up_kbps, claimed.service.speed_down_kbps) == (64, 10_000)
    # Changed back before it was sent: one order, which says what holds then.
    speeds.set_speed(
        context, subscriber.subscription_id, up_kbps=None, down_kbps=None, now=now + ONE_SECOND
    )
    assert len(listed(context, subscriber)) == 1


@pytest.mark.rule("Q2", "B4")
def test_a_package_that_begins_when_another_is_used_up_brings_its_speed(
    context: Context,
    settings: Settings,
    make: Factory,
    router: SimulatedNas,
    now: datetime,
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, valid_for=A_DAY, octets=1_000_000)
    session_id = make.session(subscriber, router, now)
    package = make.package(subscriber, now, valid_from=now + A_DAY, valid_for=A_DAY, follows=True)
    plan_id = make.plan(now, replace(DAY_PLAN, speed_down_kbps=512))
    with context.transaction() as tx:
        version = tx.scalars(
            select(tables.PlanVersion.plan_version_id).where(tables.PlanVersion.plan_id == plan_id)
        ).one()
        tx.execute(
            update(tables.Entitlement)
            .where(tables.Entitlement.entitlement_id == package)
            .values(plan_version_id=version)
        )
        acct_session_id = tx.scalars(
            select(tables.LiveSession.acct_session_id).where(
                tables.LiveSession.session_id == session_id
            )
        ).one()
    later = now + timedelta(minutes=5)
    interim = AccountingRecord(
        status=Status.INTERIM,
        username=subscriber.username,
        sent_username=subscriber.username,
        nas_address=router.address,
        acct_session_id=acct_session_id,
        arrived_at=later,
        event_at=later,
        precise_time=True,
        session_seconds=300,
        input_octets=500_000,
        output_octets=600_000,
        has_gigawords=True,
    )
    lane = HotConnection(settings.dsn("radius"), statement_timeout_ms=5000, lock_timeout_ms=5000)
    try:
        charge_usage(lane, [usage_row(interim)], later)
    finally:
        lane.close()
    assert listed(context, subscriber) == []
    enforcement.sweep(context, later)
    (order,) = listed(context, subscriber)
    claimed = claim(context, order.order_id, later)
    assert claimed.goal is Goal.SPEED
    assert claimed.service is not None
    assert claimed.service.speed_down_kbps == 512
    # And it ends when its own day ends, not when the first one's would have.
    enforcement.sweep(context, later + A_DAY)
    assert Goal.DISCONNECT in {view.goal for view in listed(context, subscriber)}


@pytest.mark.rule("B2", "B4")
def test_a_limit_by_date_counts_from_now_and_one_by_use_from_the_last_accounting(
    context: Context, make: Factory, router: SimulatedNas, now: datetime
) -> None:
    """So that neither ends a session early by what was not accounted for yet."""
    later = now + timedelta(minutes=4)
    dated, timed = make.subscriber(now), make.subscriber(now)
    make.package(dated, now, valid_for=A_DAY)
    make.package(timed, now, seconds=3_600)
    totals = {}
    for one in (dated, timed):
        session_id = make.session(one, router, now, link=Link.PPP)
        claimed = claim(context, write(context, session_id, Goal.REFRESH, later), later)
        assert claimed.service is not None
        assert claimed.link is Link.PPP
        left_seconds = claimed.service.limits.session_seconds or 0
        totals[one.username] = claimed.used_seconds + left_seconds
    assert totals == {dated.username: 86_400, timed.username: 3_600}


@pytest.mark.rule("A7")
def test_a_session_that_was_taken_over_ends_whatever_its_owner_pays(
    context: Context, make: Factory, router: SimulatedNas, subscriber: Subscriber, now: datetime
) -> None:
    session_id = make.session(subscriber, router, now)
    order_id = write(context, session_id, Goal.DISCONNECT, now, reason="taken-over")
    reconcile(context, subscriber, now)
    assert coa.get_order(context, order_id).state is OrderState.PENDING


@pytest.mark.rule("C1")
def test_orders_are_listed_with_their_packets_and_answers(
    context: Context, make: Factory, router: SimulatedNas, subscriber: Subscriber, now: datetime
) -> None:
    order_id = write(context, make.session(subscriber, router, now), Goal.REFRESH, now)
    (view,) = listed(context, subscriber)
    assert (view.order_id, view.state, view.last_answer) == (
        order_id,
        OrderState.PENDING,
        "not sent yet",
    )
    result = OrderResult(
        order=claim(context, order_id, now),
        packet=PacketKind.COA,
        sent_at=now,
        outcome=Outcome.NAK,
        answered_at=now,
        error_cause="Resources-Unavailable",
    )
    orders.record_results(context, [result], now)
    view = coa.get_order(context, order_id)
    assert (view.tries, view.last_answer) == (1, "NAK, Resources-Unavailable")
    assert view.next_attempt_at == now + ONE_SECOND
    assert [one.packet for one in view.attempts] == ["CoA-Request"]
    assert listed(context, subscriber, OrderState.FAILED) == []
    with pytest.raises(NotFound, match="no order 999999999"):
        coa.get_order(context, 999_999_999)
    with pytest.raises(NotFound, match="no NAS named"):
        coa.list_orders(context, nas="nowhere")


@pytest.mark.rule("C1")
def test_what_failed_at_a_nas_is_taken_up_again_where_it_is_still_wanted(
    context: Context, make: Factory, router: SimulatedNas, now: datetime
) -> None:
    unpaid, paid, gone = (make.subscriber(now) for _ in range(3))
    failed = {}
    for one in (unpaid, paid, gone):
        make.session(one, router, now)  # the meter orders it off: nothing was bought
        (view,) = listed(context, one)
        failed[one.username] = view.order_id
        fail(context, view.order_id, now)
    make.package(paid, now)
    with context.transaction() as tx:
        tx.execute(
            update(tables.LiveSession)
            .where(tables.LiveSession.subscription_id == gone.subscription_id)
            .values(closed_at=now)
        )
    name = coa.get_order(context, failed[unpaid.username]).nas_name
    result = coa.retry_failed(context, name, now)
    assert result.retried == (failed[unpaid.username],)
    assert {order_id: reason.partition(": ")[2] for order_id, reason in result.left} == {
        failed[paid.username]: "the subscriber's state has changed, it is not wanted any more",
        failed[gone.username]: "its session has ended",
    }
    again = coa.get_order(context, failed[unpaid.username])
    assert (again.state, again.retried_at, again.next_attempt_at) == (
        OrderState.PENDING,
        now,
        now,
    )


@pytest.mark.rule("C1")
def test_nothing_is_done_twice_by_retrying(
    context: Context, make: Factory, router: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now)
    make.session(subscriber, router, now)
    first = listed(context, subscriber)[0].order_id
    fail(context, first, now)
    holds.suspend(context, subscriber.subscription_id, note="abuse", now=now)
    newer = max(view.order_id for view in listed(context, subscriber, OrderState.PENDING))
    with pytest.raises(Conflict, match="a newer order does the same"):
        coa.retry(context, first, now)
    with context.transaction() as tx:
        tx.execute(
            update(tables.CoaIntent)
            .where(tables.CoaIntent.intent_id == newer)
            .values(state="confirmed", finished_at=now)
        )
    with pytest.raises(Refused, match="is confirmed: only what has failed or waits"):
        coa.retry(context, newer, now)

"""What a NAS answers, or does not, and what the sender makes of it (rule C1, RFC 5176 3.5).

Time is passed in: a clock that the tests move.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select, update

from billing.clock import utc_now
from billing.errors import Refused
from billing.model.account import HoldBehaviour
from billing.model.enforcement import Goal
from billing.model.network import Link, Vendor
from billing.model.orders import OrderState
from billing.services import coa, enforcement, holds
from billing.services.context import Context
from billing.store import tables
from billing.store.customers import lock_customer
from rig.nas import Behaviour, SimulatedNas
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.radius.sending import account, order, seen, sending, until, wake

DISCONNECT, COA = "Disconnect-Request", "CoA-Request"


class Clock:
    """The real time, moved on."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead

    def move(self, context: Context, **by: float) -> None:
        """Go on at once; the sender is woken to see it."""
        self.ahead += timedelta(**by)
        wake(context)


@pytest.fixture
def clock(context: Context) -> Iterator[Clock]:
    """The clock of a running sender."""
    moved = Clock()
    with sending(context, moved):
        yield moved


@pytest.fixture
def subscriber(make: Factory, now: datetime) -> Subscriber:
    found = make.subscriber(now)
    make.package(found, now, valid_for=timedelta(days=20))
    return found


@pytest.fixture
def router(make: Factory, now: datetime) -> Iterator[SimulatedNas]:
    with make.simulated_nas(now, vendor=Vendor.MIKROTIK) as simulated:
        yield simulated


@pytest.mark.parametrize("cause", [504, 505, 506, 502, 507, None])
def test_a_disconnect_that_is_put_off_is_repeated(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    subscriber: Subscriber,
    clock: Clock,
    now: datetime,
    cause: int | None,
) -> None:
    router.disconnect = Behaviour(answer="nak", error_cause=cause)
    intent_id = order(context, make.session(subscriber, router, now), Goal.DISCONNECT, now)
    found = until(context, intent_id, lambda found: len(found.attempts) == 1)
    assert found.state == "pending"
    router.disconnect = Behaviour()
    clock.move(context, seconds=1)
    found = until(context, intent_id, lambda found: found.state == "acked")
    assert [attempt[1] for attempt in found.attempts] == ["nak", "ack"]


@pytest.mark.parametrize("cause", [401, 402, 403, 404, 405, 406, 407, 501, 508])
def test_a_disconnect_that_is_refused_for_good_fails_at_once(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    subscriber: Subscriber,
    clock: Clock,
    now: datetime,
    cause: int,
) -> None:
    router.disconnect = Behaviour(answer="nak", error_cause=cause)
    intent_id = order(context, make.session(subscriber, router, now), Goal.DISCONNECT, now)
    found = until(context, intent_id, lambda found: found.state == "failed")
    assert len(found.attempts) == 1


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (Behaviour(answer="nak", error_cause=506), "nak"),
        (Behaviour(answer="silent"), "timeout"),
    ],
)
def test_a_coa_that_is_put_off_or_not_answered_thrice_becomes_a_disconnect(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    subscriber: Subscriber,
    clock: Clock,
    now: datetime,
    behaviour: Behaviour,
    outcome: str,
) -> None:
    router.coa = behaviour
    intent_id = order(context, make.session(subscriber, router, now), Goal.REFRESH, now)
    for attempts in (1, 2, 3):
        until(context, intent_id, lambda found, n=attempts: len(found.attempts) == n)
        clock.move(context, seconds=6)
    found = until(context, intent_id, lambda found: found.state == "acked")
    assert [(packet, came) for packet, came, _ in found.attempts] == [
        *[(COA, outcome)] * 3,
        (DISCONNECT, "ack"),
    ]


@pytest.mark.rule("Q4", "Q5")
@pytest.mark.parametrize(
    ("behaviour", "attempts"),
    [(Behaviour(answer="nak", error_cause=401), 1), (Behaviour(answer="silent"), 3)],
)
@pytest.mark.parametrize("goal", [Goal.GRANT, Goal.TIGHTEN])
def test_limits_that_a_nas_will_not_have_have_failed_and_nobody_is_cut(
    context: Context,
    make: Factory,
    subscriber: Subscriber,
    clock: Clock,
    now: datetime,
    goal: Goal,
    behaviour: Behaviour,
    attempts: int,
) -> None:
    with make.simulated_nas(now, vendor=Vendor.CHILLI) as gateway:
        gateway.coa = behaviour
        intent_id = order(context, make.session(subscriber, gateway, now), goal, now)
        for number in range(attempts):
            until(context, intent_id, lambda found, n=number: len(found.attempts) > n)
            clock.move(context, seconds=6)
        found = until(context, intent_id, lambda found: found.state == "failed")
        assert {packet for packet, _, _ in found.attempts} == {COA}
        (shown,) = coa.list_orders(context, subscription_id=subscriber.subscription_id)
        assert (shown.order_id, shown.state) == (intent_id, OrderState.FAILED)
        # It can be tried again, and is done then.
        gateway.coa = Behaviour()
        coa.retry(context, intent_id, clock())
        until(context, intent_id, lambda found: found.state in ("acked", "confirmed"))


def test_what_no_coa_can_be_made_of_is_disconnected(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    subscriber: Subscriber,
    clock: Clock,
    now: datetime,
) -> None:
    with context.transaction() as tx:
        tx.execute(
            update(tables.Subscription)
            .where(tables.Subscription.subscription_id == subscriber.subscription_id)
            .values(framed_ip="2001:db8::1")  # an IPv4 address is what can be sent
        )
    intent_id = order(context, make.session(subscriber, router, now), Goal.REFRESH, now)
    for attempts in (1, 2, 3):
        until(context, intent_id, lambda found, n=attempts: len(found.attempts) == n)
        clock.move(context, seconds=6)
    found = until(context, intent_id, lambda found: found.state == "acked")
    assert [attempt[:2] for attempt in found.attempts] == [
        *[(COA, "unsent")] * 3,
        (DISCONNECT, "ack"),
    ]
    assert [arrived.kind for arrived in router.orders] == [DISCONNECT]


@pytest.mark.rule("C3")
def test_a_hotspot_session_is_found_by_its_other_name_at_once(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    subscriber: Subscriber,
    clock: Clock,
    now: datetime,
) -> None:
    router.disconnect = Behaviour(finds=lambda named: "Acct-Session-Id" in named)
    session_id = make.session(subscriber, router, now, link=Link.HOTSPOT)
    intent_id = order(context, session_id, Goal.DISCONNECT, now)
    found = until(context, intent_id, lambda found: found.state == "acked")
    assert [attempt[1:] for attempt in found.attempts] == [
        ("nak", "Session-Context-Not-Found"),
        ("ack", None),
    ]
    first, second = router.wait_for_orders(2)
    assert "Acct-Session-Id" not in first.attributes
    assert "Framed-IP-Address" in second.attributes


def test_a_nas_that_comes_back_after_minutes_is_told_then(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    subscriber: Subscriber,
    clock: Clock,
    now: datetime,
) -> None:
    router.disconnect = Behaviour(answer="silent")
    intent_id = order(context, make.session(subscriber, router, now), Goal.DISCONNECT, now)
    for attempts in range(1, 7):
        until(context, intent_id, lambda found, n=attempts: len(found.attempts) == n)
        clock.move(context, minutes=5)
    router.disconnect = Behaviour()
    clock.move(context, minutes=5)
    found = until(context, intent_id, lambda found: found.state == "acked")
    answers = [outcome for _, outcome, _ in found.attempts]
    assert answers[:6] == ["timeout"] * 6
    assert answers[-1] == "ack"
    assert {attempt[0] for attempt in found.attempts} == {DISCONNECT}
    ports = [arrived.source_port for arrived in router.orders]
    assert all(one != following for one, following in pairwise(ports))


def test_the_first_answer_of_a_nas_that_was_silent_hastens_what_waits_for_it(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    subscriber: Subscriber,
    clock: Clock,
    now: datetime,
) -> None:
    router.disconnect = Behaviour(answer="silent")
    waiting = order(context, make.session(subscriber, router, now), Goal.DISCONNECT, now)
    for attempts in range(1, 6):
        until(context, waiting, lambda found, n=attempts: len(found.attempts) == n)
        if attempts < 5:
            clock.move(context, minutes=5)
    # Its next attempt is due in minutes; another order is answered before.
    router.disconnect = Behaviour()
    now = clock()
    order(context, make.session(subscriber, router, now), Goal.DISCONNECT, now)
    found = until(context, waiting, lambda found: found.state == "acked")
    assert len(found.attempts) == 6


def test_an_answer_that_comes_several_times_counts_once(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    subscriber: Subscriber,
    clock: Clock,
    now: datetime,
) -> None:
    router.disconnect = Behaviour(copies=3)
    first = order(context, make.session(subscriber, router, now), Goal.DISCONNECT, now)
    until(context, first, lambda found: found.state == "acked")
    # The copies are read before this one's answer, and are nobody's.
    second = order(context, make.session(subscriber, router, now), Goal.DISCONNECT, now)
    until(context, second, lambda found: found.state == "acked")
    assert seen(context, first).attempts == [(DISCONNECT, "ack", None)]


def test_when_the_answer_is_lost_the_stop_confirms(
    context: Context, make: Factory, nas: SimulatedNas, subscriber: Subscriber, clock: Clock
) -> None:
    session = nas.begin(subscriber.username, subscriber.password)
    nas.disconnect = Behaviour(copies=0)
    with context.transaction() as tx:
        session_id = tx.scalars(
            select(tables.LiveSession.session_id).where(
                tables.LiveSession.acct_session_id == session.acct_session_id
            )
        ).one()
    intent_id = order(context, session_id, Goal.DISCONNECT, utc_now())
    until(context, intent_id, lambda found: found.state == "confirmed")
    assert not session.open


def test_after_a_day_an_order_has_failed_and_can_be_taken_up_again(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    subscriber: Subscriber,
    clock: Clock,
    now: datetime,
) -> None:
    router.disconnect = Behaviour(answer="silent")
    session_id = make.session(subscriber, router, now)
    holds.suspend(context, subscriber.subscription_id, note="abuse", now=now)
    (view,) = coa.list_orders(context, subscription_id=subscriber.subscription_id)
    until(context, view.order_id, lambda found: len(found.attempts) == 1)
    clock.move(context, hours=25)
    until(context, view.order_id, lambda found: found.state == "failed")

    router.disconnect = Behaviour()
    again = coa.retry(context, view.order_id, clock())
    assert (again.state, again.finished_at) == (OrderState.PENDING, None)
    until(context, view.order_id, lambda found: found.state == "acked")
    account(context, session_id, closed_at=clock())
    until(context, view.order_id, lambda found: found.state == "confirmed")
    with pytest.raises(Refused, match="its session has ended"):
        coa.retry(context, view.order_id, clock())


@pytest.mark.rule("B10", "P9", "C4")
def test_juniper_moves_a_running_session_into_the_garden_and_out_by_coa(
    context: Context, make: Factory, clock: Clock, now: datetime
) -> None:
    subscriber = make.subscriber(now, profile=MONTHLY, plan=MONTH_PLAN)
    with make.simulated_nas(now, vendor=Vendor.JUNIPER) as gateway:
        session_id = make.session(subscriber, gateway, now)
        holds.suspend(
            context,
            subscriber.subscription_id,
            note="abuse",
            behaviour=HoldBehaviour.SUSPENDED_POOL,
            now=now,
        )
        into = gateway.wait_for_orders(1)[0]
        assert (into.kind, into.genuine) == (COA, True)
        assert into.attributes["ERX-Service-Deactivate"] == ["tollway-speed"]
        assert into.attributes["ERX-Service-Activate"] == ["tollway-garden"]
        (view,) = coa.list_orders(context, subscription_id=subscriber.subscription_id)
        until(context, view.order_id, lambda found: found.state == "acked")
        account(context, session_id, last_arrival_at=clock() + timedelta(seconds=1))
        until(context, view.order_id, lambda found: found.state == "confirmed")

        # It is in the garden, though its Class says otherwise: there is nothing more to order.
        with context.transaction() as tx:
            lock_customer(tx, subscriber.customer_id)
            assert enforcement.reconcile(tx, context, subscriber.customer_id, clock()) == 0

        holds.resume(context, subscriber.subscription_id, clock())
        out = gateway.wait_for_orders(2)[1]
        assert out.kind == COA
        assert out.attributes["ERX-Service-Deactivate"] == ["tollway-garden"]
        assert out.attributes["ERX-Service-Activate"] == ["tollway-speed(2000k,10000k)"]

"""Orders on the wire: CoA and Disconnect received by a real socket (rules C1–C4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from billing.model.enforcement import Goal
from billing.model.network import Vendor
from billing.services.context import Context
from billing.store import tables
from rig.nas import Behaviour, SimulatedNas
from tests.factories import Factory, Subscriber
from tests.radius.sending import account, order, seen, sending, until


@pytest.fixture
def sender(context: Context) -> Iterator[None]:
    """A running sender, as the worker runs one."""
    with sending(context):
        yield


@pytest.fixture
def router(make: Factory, now: datetime) -> Iterator[SimulatedNas]:
    with make.simulated_nas(now) as simulated:
        yield simulated


@pytest.fixture
def subscriber(make: Factory, now: datetime) -> Subscriber:
    found = make.subscriber(now)
    make.package(found, now, valid_for=timedelta(days=2))
    return found


@pytest.mark.rule("C1")
@pytest.mark.rule("C3")
def test_a_disconnect_names_the_session_and_is_confirmed_by_its_stop(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    subscriber: Subscriber,
    sender: None,
    now: datetime,
) -> None:
    session_id = make.session(subscriber, router, now)
    intent_id = order(context, session_id, Goal.DISCONNECT, now)
    arrived = router.wait_for_orders(1)[0]
    assert arrived.kind == "Disconnect-Request"
    assert arrived.genuine
    assert arrived.attributes["User-Name"] == [subscriber.username.upper()]  # exactly as sent
    assert set(arrived.attributes) == {
        "User-Name",
        "Acct-Session-Id",
        "Event-Timestamp",
        "Message-Authenticator",
    }
    acked = until(context, intent_id, lambda found: found.state == "acked")
    assert acked.attempts == [("Disconnect-Request", "ack", None)]
    account(context, session_id, closed_at=now)
    until(context, intent_id, lambda found: found.state == "confirmed")


@pytest.mark.rule("C4")
def test_mikrotik_takes_new_limits_by_coa(
    context: Context, make: Factory, subscriber: Subscriber, sender: None, now: datetime
) -> None:
    with make.simulated_nas(now, vendor=Vendor.MIKROTIK) as router:
        session_id = make.session(subscriber, router, now)
        account(context, session_id, session_seconds=3600)
        intent_id = order(context, session_id, Goal.REFRESH, now)
        arrived = router.wait_for_orders(1)[0]
        assert arrived.kind == "CoA-Request"
        assert arrived.genuine
        assert arrived.attributes["Mikrotik-Rate-Limit"] == ["2000k/10000k"]
        (timeout,) = arrived.attributes["Session-Timeout"]
        assert isinstance(timeout, int)
        assert 3600 + 2 * 86400 - 60 < timeout <= 3600 + 2 * 86400
        until(context, intent_id, lambda found: found.state == "acked")
        # Confirmed only by accounting: the session goes on under its new limits.
        account(context, session_id, last_arrival_at=now + timedelta(minutes=5))
        until(context, intent_id, lambda found: found.state == "confirmed")


@pytest.mark.rule("C4")
@pytest.mark.parametrize("goal", [Goal.SUSPEND, Goal.RESTORE])
def test_the_pool_is_changed_by_disconnect(
    context: Context,
    make: Factory,
    subscriber: Subscriber,
    sender: None,
    now: datetime,
    goal: Goal,
) -> None:
    with make.simulated_nas(now, vendor=Vendor.MIKROTIK) as router:
        order(context, make.session(subscriber, router, now), goal, now)
        assert router.wait_for_orders(1)[0].kind == "Disconnect-Request"


@pytest.mark.rule("C4")
def test_what_a_nas_cannot_change_by_coa_is_disconnected(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    subscriber: Subscriber,
    sender: None,
    now: datetime,
) -> None:
    order(context, make.session(subscriber, router, now), Goal.REFRESH, now)
    assert router.wait_for_orders(1)[0].kind == "Disconnect-Request"


@pytest.mark.rule("C1")
def test_a_refused_coa_becomes_a_disconnect_at_once(
    context: Context, make: Factory, subscriber: Subscriber, sender: None, now: datetime
) -> None:
    with make.simulated_nas(now, vendor=Vendor.MIKROTIK) as router:
        router.coa = Behaviour(answer="nak", error_cause=401)
        intent_id = order(context, make.session(subscriber, router, now), Goal.REFRESH, now)
        kinds = [arrived.kind for arrived in router.wait_for_orders(2)]
        assert kinds == ["CoA-Request", "Disconnect-Request"]
        found = until(context, intent_id, lambda found: found.state == "acked")
        assert found.attempts == [
            ("CoA-Request", "nak", "Unsupported-Attribute"),
            ("Disconnect-Request", "ack", None),
        ]


@pytest.mark.rule("C1")
def test_silence_is_answered_with_repeats_from_other_ports(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    subscriber: Subscriber,
    sender: None,
    now: datetime,
) -> None:
    router.disconnect = Behaviour(answer="silent")
    intent_id = order(context, make.session(subscriber, router, now), Goal.DISCONNECT, now)
    first, second = router.wait_for_orders(2)
    assert first.source_port != second.source_port
    found = until(context, intent_id, lambda found: len(found.attempts) >= 1)
    assert found.state == "pending"
    assert found.attempts[0] == ("Disconnect-Request", "timeout", None)


@pytest.mark.rule("C1")
def test_a_hopeless_refusal_fails_visibly(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    subscriber: Subscriber,
    sender: None,
    now: datetime,
) -> None:
    router.disconnect = Behaviour(answer="nak", error_cause=501)
    intent_id = order(context, make.session(subscriber, router, now), Goal.DISCONNECT, now)
    found = until(context, intent_id, lambda found: found.state == "failed")
    assert found.attempts == [("Disconnect-Request", "nak", "Administratively-Prohibited")]


@pytest.mark.rule("C1")
@pytest.mark.rule("U10")
def test_a_session_unknown_to_its_nas_and_silent_is_closed_at_its_last_update(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    subscriber: Subscriber,
    sender: None,
    now: datetime,
) -> None:
    router.disconnect = Behaviour(answer="nak", error_cause=503)
    session_id = make.session(subscriber, router, now)
    intent_id = order(context, session_id, Goal.DISCONNECT, now)
    until(context, intent_id, lambda found: len(found.attempts) == 1)
    assert seen(context, intent_id).state == "pending"  # it may be us who named it wrongly
    before = now - timedelta(minutes=20)
    account(context, session_id, last_arrival_at=before, last_event_at=before)
    until(context, intent_id, lambda found: found.state == "confirmed")
    with context.transaction() as tx:
        row = tx.scalars(
            select(tables.LiveSession).where(tables.LiveSession.session_id == session_id)
        ).one()
        assert (row.closed_at, row.terminate_cause) == (before, "Lost-Stop")


@pytest.mark.rule("C1")
def test_a_nas_that_is_down_holds_up_nobody_else(
    context: Context, make: Factory, subscriber: Subscriber, now: datetime
) -> None:
    with (
        make.simulated_nas(now) as down,
        make.simulated_nas(now) as up,
    ):
        down.disconnect = Behaviour(answer="silent")
        for _ in range(600):
            order(context, make.session(subscriber, down, now), Goal.DISCONNECT, now)
        with sending(context):
            down.wait_for_orders(256)
            order(context, make.session(subscriber, up, now), Goal.DISCONNECT, now)
            assert up.wait_for_orders(1)[0].genuine


@pytest.mark.rule("C1")
def test_a_forged_answer_is_not_believed(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    subscriber: Subscriber,
    sender: None,
    now: datetime,
) -> None:
    router.answer_secret = b"not the secret"
    intent_id = order(context, make.session(subscriber, router, now), Goal.DISCONNECT, now)
    found = until(context, intent_id, lambda found: len(found.attempts) >= 1)
    assert found.attempts[0] == ("Disconnect-Request", "timeout", None)


@pytest.mark.rule("C1")
def test_orders_of_sessions_that_ended_first_are_dropped(
    context: Context, make: Factory, router: SimulatedNas, subscriber: Subscriber, now: datetime
) -> None:
    session_id = make.session(subscriber, router, now)
    intent_id = order(context, session_id, Goal.DISCONNECT, now)
    account(context, session_id, closed_at=now)
    with sending(context):
        until(context, intent_id, lambda found: found.state == "cancelled")
    assert router.orders == []

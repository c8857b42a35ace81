"""The main job on real software: log in, use up what was bought, be cut off, recharge."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from threading import Event, Thread

import pytest
from sqlalchemy import select

from billing.clock import utc_now
from billing.services.context import Context
from billing.store import tables
from radius_plugin.coa import CoaSender
from rig.nas import Method, SimulatedNas
from tests.factories import Factory


@pytest.mark.rule("A2")
@pytest.mark.parametrize("method", ["pap", "chap", "mschapv2"])
def test_every_method_logs_in_with_the_right_password_only(
    make: Factory, nas: SimulatedNas, now: datetime, method: Method
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now)
    right = nas.login(subscriber.username, subscriber.password, method=method)
    assert right.result == "accept", right
    assert right.first("Framed-Pool") == "pool-normal"
    wrong = nas.login(subscriber.username, "wrong", method=method)
    assert wrong.result == "reject"
    assert wrong.message == "Wrong user name or password"


@pytest.mark.rule("C1")
@pytest.mark.rule("Q1")
def test_used_up_data_ends_the_session_and_a_purchase_brings_it_back(
    context: Context, make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, valid_for=timedelta(days=1), octets=10_000_000)
    stop = Event()
    sender = Thread(target=CoaSender(context).run, args=(stop,))
    sender.start()
    try:
        session = nas.begin(subscriber.username, subscriber.password)
        assert nas.interim(session, seconds=60, input_octets=1_000_000, output_octets=4_000_000)
        assert nas.orders == []
        assert nas.interim(session, seconds=120, input_octets=2_000_000, output_octets=8_000_001)
        order = nas.wait_for_orders(1)[0]
        assert order.kind == "Disconnect-Request"
        assert order.attributes["Acct-Session-Id"] == [session.acct_session_id]
        confirmed(context, subscriber.subscription_id)
    finally:
        stop.set()
        sender.join()
    refused = nas.login(subscriber.username, subscriber.password)
    assert refused.result == "reject"
    assert refused.message == "Your data is used up; please buy a new package"
    make.package(subscriber, utc_now(), octets=10_000_000)
    assert nas.login(subscriber.username, subscriber.password).result == "accept"


def confirmed(context: Context, subscription_id: int) -> None:
    """The order ends confirmed, by the Stop that the NAS sent."""
    deadline = time.monotonic() + 15
    while True:
        with context.transaction() as tx:
            states = tx.scalars(
                select(tables.CoaIntent.state).where(
                    tables.CoaIntent.subscription_id == subscription_id
                )
            ).all()
        if states == ["confirmed"]:
            return
        assert time.monotonic() < deadline, states
        time.sleep(0.05)

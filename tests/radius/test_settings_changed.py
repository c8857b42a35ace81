"""Settings of a subscriber that are changed later, through real FreeRADIUS (rules A4, A7, C1)."""

from __future__ import annotations

from datetime import datetime

import pytest

from billing.model.decision import MESSAGES, Reason
from billing.services import subscriber_settings
from rig.nas import LoginOutcome, SimulatedNas
from tests.factories import Factory, Subscriber
from tests.radius.sending import sending

PHONE, LAPTOP = "02-00-5E-10-00-01", "02-00-5E-10-00-02"


@pytest.fixture
def subscriber(make: Factory, now: datetime) -> Subscriber:
    made = make.subscriber(now)
    make.package(made, now)
    return made


def _login(nas: SimulatedNas, subscriber: Subscriber, station: str) -> LoginOutcome:
    return nas.login(subscriber.username, subscriber.password, calling_station=station)


@pytest.mark.rule("A4")
def test_a_device_that_is_locked_later_is_the_only_one(
    make: Factory, nas: SimulatedNas, subscriber: Subscriber, now: datetime
) -> None:
    number = subscriber.subscription_id
    assert _login(nas, subscriber, PHONE).result == "accept"
    assert _login(nas, subscriber, LAPTOP).result == "accept"
    subscriber_settings.change(make.context, number, now, macs=(PHONE,))
    assert _login(nas, subscriber, PHONE).result == "accept"
    refused = _login(nas, subscriber, LAPTOP)
    assert (refused.result, refused.message) == ("reject", MESSAGES[Reason.MAC_NOT_ALLOWED])
    subscriber_settings.change(make.context, number, now, macs=())
    assert _login(nas, subscriber, LAPTOP).result == "accept"


@pytest.mark.rule("A7")
def test_a_session_limit_that_is_set_later_holds(
    make: Factory, nas: SimulatedNas, subscriber: Subscriber, now: datetime
) -> None:
    number = subscriber.subscription_id
    for station in (PHONE, LAPTOP):
        assert _login(nas, subscriber, station).result == "accept"
        nas.start(subscriber.username, calling_station=station)
    third = "02-00-5E-10-00-03"
    subscriber_settings.change(make.context, number, now, session_limit=2)
    refused = _login(nas, subscriber, third)
    assert (refused.result, refused.message) == ("reject", MESSAGES[Reason.TOO_MANY_SESSIONS])
    subscriber_settings.change(make.context, number, now, session_limit=3)
    assert _login(nas, subscriber, third).result == "accept"
    nas.start(subscriber.username, calling_station=third)
    subscriber_settings.change(make.context, number, now, session_limit=1)
    refused = _login(nas, subscriber, "02-00-5E-10-00-04")
    assert (refused.result, refused.message) == ("reject", MESSAGES[Reason.TOO_MANY_SESSIONS])


@pytest.mark.rule("A6")
def test_an_address_that_is_fixed_later_comes_with_the_next_login(
    make: Factory, nas: SimulatedNas, subscriber: Subscriber, now: datetime
) -> None:
    number = subscriber.subscription_id
    assert _login(nas, subscriber, PHONE).first("Framed-IP-Address") is None
    subscriber_settings.change(make.context, number, now, framed_ip="198.51.100.7")
    assert _login(nas, subscriber, PHONE).first("Framed-IP-Address") == "198.51.100.7"
    subscriber_settings.change(make.context, number, now, framed_ip=None)
    assert _login(nas, subscriber, PHONE).first("Framed-IP-Address") is None


@pytest.mark.rule("A4", "C1")
def test_a_session_that_does_not_fit_is_disconnected_where_it_is_asked_for(
    make: Factory, subscriber: Subscriber, now: datetime
) -> None:
    with make.simulated_nas(now) as router, sending(make.context):
        make.session(subscriber, router, now)
        changed = subscriber_settings.change(
            make.context, subscriber.subscription_id, now, macs=(PHONE,), end_sessions=True
        )
        assert (changed.ended, changed.running) == (1, 0)
        (arrived,) = router.wait_for_orders(1)
        assert arrived.kind == "Disconnect-Request"
        assert arrived.attributes["User-Name"] == [subscriber.username.upper()]

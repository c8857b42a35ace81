"""What one subscriber alone is sent, through real FreeRADIUS (rules A6, B10)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from billing.model.account import HoldBehaviour
from billing.model.network import Vendor
from billing.services import holds, own_reply
from billing.services.dictionary import Dictionary
from billing.settings import Settings
from rig.nas import LoginOutcome, SimulatedNas
from rig.radius import RadiusServer
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber

# Under their numbers: the simulated NAS does not know them by name.
FRAMED_ROUTE, TUNNEL_TYPE = "22", "64"


@pytest.fixture
def router(make: Factory, radius: dict[str, RadiusServer], now: datetime) -> Iterator[SimulatedNas]:
    """A NAS that speaks MikroTik's dialect."""
    with make.simulated_nas(now, vendor=Vendor.MIKROTIK, auth_port=radius["auth"].port) as other:
        yield other


@pytest.fixture
def special(make: Factory, now: datetime) -> Subscriber:
    """A monthly subscriber with a slow plan, and with IPv6 and attributes of its own."""
    subscriber = make.subscriber(
        now, profile=MONTHLY, plan=MONTH_PLAN, speed_up_kbps=1000, speed_down_kbps=2000
    )
    dictionary = Dictionary(Settings.model_fields["dictionary_dir"].default)
    net = f"2001:db8:{subscriber.subscription_id:x}"
    own_reply.set_ipv6(
        make.context,
        subscriber.subscription_id,
        framed_prefix=f"{net}:1::/64",
        delegated_prefix=f"{net}:100::/56",
        framed_address=f"{net}:1::7",
        now=now,
    )
    for name, operator, value, when_suspended in (
        ("Mikrotik-Rate-Limit", ":=", "77M/99M", False),
        ("Framed-Route", "+=", "192.0.2.0/25 0.0.0.0 1", False),
        ("Framed-Route", "+=", "192.0.2.128/25 0.0.0.0 1", False),
        ("Tunnel-Type:1", ":=", "L2TP", False),
        ("Filter-Id", ":=", "back\\slash %{User-Name} \"quoted\"", True),
        ("Mikrotik-Address-List", ":=", "open", True),
    ):  # fmt: skip
        own_reply.set_attribute(
            make.context,
            dictionary,
            subscriber.subscription_id,
            name=name,
            operator=operator,
            value=value,
            when_suspended=when_suspended,
            now=now,
        )
    return subscriber


def login(nas: SimulatedNas, subscriber: Subscriber) -> LoginOutcome:
    outcome = nas.login(subscriber.username, subscriber.password)
    assert outcome.result == "accept"
    return outcome


@pytest.mark.rule("A6")
def test_its_own_ipv6_and_attributes_are_on_the_wire(
    router: SimulatedNas, special: Subscriber
) -> None:
    told = login(router, special).attributes
    net = f"2001:db8:{special.subscription_id:x}"
    assert told["Framed-IPv6-Prefix"] == [f"{net}:1::/64"]
    assert told["Delegated-IPv6-Prefix"] == [f"{net}:100::/56"]
    assert told["Framed-IPv6-Address"] == [f"{net}:1::7"]
    assert told["Mikrotik-Rate-Limit"] == ["77M/99M"]
    assert told[FRAMED_ROUTE] == [b"192.0.2.0/25 0.0.0.0 1", b"192.0.2.128/25 0.0.0.0 1"]
    assert told[TUNNEL_TYPE] == [b"\x01\x00\x00\x03"]
    assert told["Filter-Id"] == ['back\\slash %{User-Name} "quoted"']
    assert told["Mikrotik-Address-List"] == ["open"]
    assert "Reply-Message" not in told


@pytest.mark.rule("B10")
def test_suspended_it_gets_no_ipv6_and_only_what_is_marked(
    make: Factory, router: SimulatedNas, special: Subscriber, now: datetime
) -> None:
    holds.suspend(
        make.context,
        special.subscription_id,
        note="x",
        now=now,
        behaviour=HoldBehaviour.SUSPENDED_POOL,
    )
    told = login(router, special).attributes
    assert not [name for name in told if "IPv6" in str(name)]
    assert not {"Mikrotik-Rate-Limit", FRAMED_ROUTE, TUNNEL_TYPE} & set(told)
    assert told["Filter-Id"] == ['back\\slash %{User-Name} "quoted"']
    assert told["Mikrotik-Address-List"] != ["open"]


@pytest.mark.rule("A6")
def test_its_neighbour_gets_nothing_of_it(
    make: Factory, router: SimulatedNas, special: Subscriber, now: datetime
) -> None:
    neighbour = make.subscriber(now, profile=MONTHLY, plan=MONTH_PLAN)
    assert neighbour.subscription_id != special.subscription_id
    told = login(router, neighbour).attributes
    assert not {"Filter-Id", "Framed-IPv6-Prefix", FRAMED_ROUTE} & set(told)

"""Which packet carries out an order, vendor by vendor (rules C3, C4)."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pyrad.packet import CoAPacket

from billing.model.decision import Limits, Service
from billing.model.enforcement import LIMITS_ALONE, Goal, PacketKind, SessionOrder
from billing.model.network import Link, NasAddress, SessionIdentity, Vendor
from billing.model.own_reply import OwnReply, ReplyAttribute
from radius_plugin import vendors
from radius_plugin.coa import build, packet_for
from radius_plugin.wire import Slot

NOW = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
SERVICE = Service(
    pool="pool-normal",
    speed_up_kbps=1_000,
    speed_down_kbps=4_000,
    limits=Limits(session_seconds=600),
    session_class="tw1:7:n",
)
ORDER = SessionOrder(
    customer_id=1,
    intent_id=2,
    org_id=1,
    nas_id=3,
    goal=Goal.REFRESH,
    attempt=1,
    escalated=False,
    created_at=NOW,
    nas=NasAddress(address="192.0.2.1", secret=b"secret"),
    vendor=Vendor.MIKROTIK,
    identity=SessionIdentity(
        username="Alice@ISP", acct_session_id="80100001", framed_ip="10.0.0.5"
    ),
    service=SERVICE,
    used_seconds=100,
    used_octets=5_000,
)


@pytest.mark.rule("C4")
@pytest.mark.parametrize("vendor", list(Vendor))
@pytest.mark.parametrize("goal", [Goal.DISCONNECT, Goal.SUSPEND, Goal.RESTORE])
def test_nobody_changes_pools_by_coa(vendor: Vendor, goal: Goal) -> None:
    """Who logged in suspended has an address of that pool; only a new login changes it."""
    service = None if goal is Goal.DISCONNECT else SERVICE
    fences = vendors.for_nas(vendor).capabilities.fence
    kind, attributes = packet_for(replace(ORDER, vendor=vendor, goal=goal, service=service))
    if goal is Goal.SUSPEND and fences:
        assert kind is PacketKind.COA
        return
    assert kind is PacketKind.DISCONNECT
    assert ("User-Name", "Alice@ISP") in attributes
    assert not dict(attributes).keys() - {"User-Name", "Acct-Session-Id", "Framed-IP-Address"}


@pytest.mark.rule("B10", "P9")
def test_where_the_router_fences_in_a_session_is_moved_by_coa_and_back() -> None:
    order = replace(ORDER, vendor=Vendor.JUNIPER, goal=Goal.SUSPEND)
    kind, attributes = packet_for(order)
    assert kind is PacketKind.COA
    assert attributes == (
        ("User-Name", "Alice@ISP"),
        ("Acct-Session-Id", "80100001"),
        ("ERX-Service-Deactivate", "tollway-speed"),
        ("ERX-Service-Activate:1", "tollway-garden"),
    )
    back = replace(order, goal=Goal.RESTORE)
    assert packet_for(back)[0] is PacketKind.DISCONNECT
    kind, attributes = packet_for(replace(back, fenced=True))
    assert kind is PacketKind.COA
    assert attributes[2:] == (
        ("ERX-Service-Deactivate", "tollway-garden"),
        ("ERX-Service-Activate:1", "tollway-speed(1000k,4000k)"),
    )


@pytest.mark.rule("P9")
def test_who_is_let_out_has_the_speed_that_is_its_own_again() -> None:
    own = ReplyAttribute(name="ERX-Service-Activate:1", operator=":=", value="gold(9m,90m)")
    order = replace(
        ORDER,
        vendor=Vendor.JUNIPER,
        goal=Goal.RESTORE,
        fenced=True,
        service=replace(SERVICE, own_reply=OwnReply(attributes=(own,))),
    )
    assert packet_for(order)[1][2:] == (
        ("ERX-Service-Deactivate", "tollway-garden"),
        ("ERX-Service-Activate:1", "gold(9m,90m)"),
    )


@pytest.mark.rule("C4")
def test_chilli_gets_the_full_set_counted_from_the_start_of_the_session() -> None:
    limits = Limits(session_seconds=600, total_octets=10_000)
    order = replace(ORDER, vendor=Vendor.CHILLI, service=replace(SERVICE, limits=limits))
    for goal in (Goal.REFRESH, Goal.SPEED):
        kind, attributes = packet_for(replace(order, goal=goal))
        assert kind is PacketKind.COA
        found = dict(attributes)
        assert found["Session-Timeout"] == "700"
        assert found["ChilliSpot-Max-Total-Octets"] == "15000"
        assert found["ChilliSpot-Bandwidth-Max-Down"] == "4000"


@pytest.mark.rule("C4")
def test_an_octet_limit_that_the_router_keeps_needs_a_new_login() -> None:
    limited = replace(ORDER, service=replace(SERVICE, limits=Limits(total_octets=10_000)))
    assert packet_for(limited)[0] is PacketKind.DISCONNECT
    assert packet_for(replace(limited, link=Link.HOTSPOT))[0] is PacketKind.DISCONNECT
    assert packet_for(ORDER)[0] is PacketKind.COA
    # PPP's limits, one for each direction, are changed by CoA.
    kind, attributes = packet_for(replace(limited, link=Link.PPP))
    assert kind is PacketKind.COA
    assert dict(attributes)["Mikrotik-Recv-Limit"] == "15000"


@pytest.mark.rule("Q2")
@pytest.mark.parametrize("vendor", list(Vendor))
def test_a_speed_changes_without_touching_the_limits(vendor: Vendor) -> None:
    """Also where the NAS keeps an octet limit that no CoA changes, and where a limit is lifted."""
    limited = replace(SERVICE, limits=Limits(session_seconds=600, total_octets=10_000))
    for service in (limited, Service(limits=limited.limits)):
        order = replace(ORDER, vendor=vendor, goal=Goal.SPEED, service=service)
        kind, attributes = packet_for(order)
        if vendors.for_nas(vendor).capabilities.speed:
            assert kind is PacketKind.COA
            assert vendor is Vendor.CHILLI or "Session-Timeout" not in dict(attributes)
        elif vendor is Vendor.GENERIC:
            assert kind is PacketKind.NONE
        else:
            assert kind is PacketKind.DISCONNECT


@pytest.mark.rule("C4")
def test_what_the_nas_does_not_enforce_needs_no_packet() -> None:
    plain = Service(limits=Limits(total_octets=10_000), speed_up_kbps=1_000)
    order = replace(ORDER, vendor=Vendor.GENERIC, service=plain)
    assert packet_for(order) == (PacketKind.NONE, ())


@pytest.mark.rule("C1")
@pytest.mark.parametrize("goal", sorted(set(Goal) - LIMITS_ALONE))
def test_what_was_refused_as_coa_is_disconnected(goal: Goal) -> None:
    order = replace(ORDER, vendor=Vendor.JUNIPER, goal=goal, escalated=True)
    assert packet_for(order)[0] is PacketKind.DISCONNECT


@pytest.mark.rule("Q4")
def test_a_grant_changes_its_limits_and_nothing_else() -> None:
    limited = replace(SERVICE, limits=Limits(session_seconds=600, total_octets=10_000))
    order = replace(ORDER, goal=Goal.GRANT, service=limited)
    hotspot = packet_for(replace(order, vendor=Vendor.MIKROTIK, link=Link.HOTSPOT))
    assert hotspot[0] is PacketKind.COA
    assert "Session-Timeout" in dict(hotspot[1])  # its octets no CoA changes
    assert not {"Mikrotik-Rate-Limit", "Mikrotik-Total-Limit"} & dict(hotspot[1]).keys()
    ppp = dict(packet_for(replace(order, vendor=Vendor.MIKROTIK, link=Link.PPP))[1])
    assert {"Session-Timeout", "Mikrotik-Recv-Limit", "Mikrotik-Xmit-Limit"} <= ppp.keys()
    assert packet_for(replace(order, vendor=Vendor.CAMBIUM)) == (PacketKind.NONE, ())


@pytest.mark.rule("Q5")
def test_near_the_end_limits_and_interval_are_tightened() -> None:
    near = replace(SERVICE, interim_seconds=75, limits=Limits(session_seconds=9, total_octets=7))
    order = replace(ORDER, goal=Goal.TIGHTEN, service=near)
    chilli = dict(packet_for(replace(order, vendor=Vendor.CHILLI))[1])
    assert chilli["Acct-Interim-Interval"] == "75"
    assert {"Session-Timeout", "ChilliSpot-Max-Total-Octets"} <= chilli.keys()
    ppp = dict(packet_for(replace(order, vendor=Vendor.MIKROTIK, link=Link.PPP))[1])
    assert {"Session-Timeout", "Mikrotik-Recv-Limit"} <= ppp.keys()
    assert packet_for(replace(order, vendor=Vendor.GENERIC)) == (PacketKind.NONE, ())


@pytest.mark.rule("Q4")
def test_a_restricted_session_is_slowed_and_its_limits_lifted() -> None:
    slow = Service(speed_down_kbps=64, limits=Limits(session_seconds=600, total_octets=2**50))
    for vendor, link in ((Vendor.CHILLI, Link.OTHER), (Vendor.MIKROTIK, Link.PPP)):
        order = replace(ORDER, goal=Goal.RESTRICT, service=slow, vendor=vendor, link=link)
        kind, attributes = packet_for(order)
        assert kind is PacketKind.COA
        assert any(name.endswith("-Gigawords") for name, _ in attributes)
        assert any("64" in value for _, value in attributes)


@pytest.mark.rule("C3")
def test_a_session_that_was_not_found_is_called_otherwise() -> None:
    hotspot = replace(ORDER, goal=Goal.DISCONNECT, link=Link.HOTSPOT)
    namings = [
        dict(packet_for(replace(hotspot, unknown_answers=number))[1]).keys() for number in range(3)
    ]
    assert namings[0] == {"User-Name", "Framed-IP-Address"}
    assert namings[1] == {"User-Name", "Acct-Session-Id", "Framed-IP-Address"}
    assert namings[2] == namings[0]


@pytest.mark.rule("C1")
@pytest.mark.parametrize("vendor", list(Vendor))
@pytest.mark.parametrize("goal", list(Goal))
def test_every_packet_can_be_built(vendor: Vendor, goal: Goal) -> None:
    """What pyrad makes of it is read back as it was meant."""
    limited = replace(SERVICE, limits=Limits(session_seconds=600, total_octets=2**40))
    order = replace(ORDER, vendor=vendor, goal=goal, service=limited, fenced=True, link=Link.PPP)
    kind, attributes = packet_for(order)
    if kind is PacketKind.NONE:
        return
    with socket.socket() as unused:
        request = build(order, kind, attributes, Slot(unused, ("192.0.2.1", 3799), 7), NOW)
    received = CoAPacket(packet=request.RequestPacket(), secret=b"secret", dict=request.dict)
    assert received.VerifyCoARequest()
    for name, value in attributes:
        assert value in [str(found) for found in received[name]]


@pytest.mark.rule("C1")
def test_a_request_is_signed_first_and_carries_its_time() -> None:
    with socket.socket() as unused:
        request = build(ORDER, *packet_for(ORDER), Slot(unused, ("192.0.2.1", 3799), 7), NOW)
    raw = request.RequestPacket()
    assert raw[:2] == bytes((43, 7))
    assert raw[20:22] == bytes((80, 18))  # Message-Authenticator first (CVE-2024-3596)
    assert request["Event-Timestamp"] == [int(NOW.timestamp())]
    assert request["Session-Timeout"] == [700]

"""Which packet carries out an order, vendor by vendor (rules C3, C4)."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from billing.model.decision import Limits, Service
from billing.model.enforcement import Goal, PacketKind, SessionOrder
from billing.model.network import NasAddress, SessionIdentity, Vendor
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
        username="Alice@ISP", acct_session_id="80100001", framed_ip="10.0.0.5", nas_ip="192.0.2.1"
    ),
    service=SERVICE,
    used_seconds=100,
    used_octets=5_000,
)


@pytest.mark.rule("C4")
@pytest.mark.parametrize("vendor", list(Vendor))
@pytest.mark.parametrize("goal", [Goal.DISCONNECT, Goal.SUSPEND, Goal.RESTORE])
def test_nobody_changes_pools_by_coa(vendor: Vendor, goal: Goal) -> None:
    kind, attributes = packet_for(replace(ORDER, vendor=vendor, goal=goal, service=None))
    assert kind is PacketKind.DISCONNECT
    assert attributes["User-Name"] == "Alice@ISP"
    assert attributes["Acct-Session-Id"] == "80100001"
    assert not set(attributes) - {"User-Name", "Acct-Session-Id", "Framed-IP-Address"}


@pytest.mark.rule("C4")
def test_chilli_gets_the_full_set_counted_from_the_start_of_the_session() -> None:
    limits = Limits(session_seconds=600, total_octets=10_000)
    order = replace(ORDER, vendor=Vendor.CHILLI, service=replace(SERVICE, limits=limits))
    kind, attributes = packet_for(order)
    assert kind is PacketKind.COA
    assert attributes["Session-Timeout"] == "700"
    assert attributes["ChilliSpot-Max-Total-Octets"] == "15000"
    assert attributes["ChilliSpot-Bandwidth-Max-Down"] == "4000"


@pytest.mark.rule("C4")
def test_an_octet_limit_that_the_router_keeps_needs_a_new_login() -> None:
    limited = replace(SERVICE, limits=Limits(total_octets=10_000))
    assert packet_for(replace(ORDER, service=limited))[0] is PacketKind.DISCONNECT
    assert packet_for(ORDER)[0] is PacketKind.COA


@pytest.mark.rule("C4")
def test_what_the_nas_does_not_enforce_needs_no_packet() -> None:
    plain = Service(limits=Limits(total_octets=10_000), speed_up_kbps=1_000)
    order = replace(ORDER, vendor=Vendor.GENERIC, service=plain)
    assert packet_for(order) == (PacketKind.NONE, {})


@pytest.mark.rule("C1")
def test_what_was_refused_as_coa_is_disconnected() -> None:
    assert packet_for(replace(ORDER, escalated=True))[0] is PacketKind.DISCONNECT


@pytest.mark.rule("C1")
def test_a_request_is_signed_first_and_carries_its_time() -> None:
    with socket.socket() as unused:
        request = build(ORDER, *packet_for(ORDER), Slot(unused, ("192.0.2.1", 3799), 7), NOW)
    raw = request.RequestPacket()
    assert raw[:2] == bytes((43, 7))
    assert raw[20:22] == bytes((80, 18))  # Message-Authenticator first (CVE-2024-3596)
    assert request["Event-Timestamp"] == [int(NOW.timestamp())]
    assert request["Session-Timeout"] == [700]

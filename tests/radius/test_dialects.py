"""Replies of real FreeRADIUS in the dialect of each vendor, as a NAS reads them (rule A6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from billing.model.network import Link, Vendor
from rig.radius import RadiusServer
from tests.factories import DAY_PLAN, PASSWORD, Factory

_SPEEDS = {
    Vendor.GENERIC: {},
    Vendor.MIKROTIK: {"Mikrotik-Rate-Limit": ["2000k/10000k"]},
    Vendor.CHILLI: {
        "ChilliSpot-Bandwidth-Max-Up": [2_000],
        "ChilliSpot-Bandwidth-Max-Down": [10_000],
    },
    Vendor.WISPR: {
        "WISPr-Bandwidth-Max-Up": [2_000_000],
        "WISPr-Bandwidth-Max-Down": [10_000_000],
    },
    Vendor.CISCO: {
        "Cisco-AVPair": [
            "ip:addr-pool=pool-normal",
            "subscriber:sub-qos-policy-in=tollway-up-2000k",
            "subscriber:sub-qos-policy-out=tollway-down-10000k",
        ],
    },
    Vendor.JUNIPER: {
        "ERX-Address-Pool-Name": ["pool-normal"],
        "ERX-Service-Activate": ["tollway-speed(2000k,10000k)"],
    },
    Vendor.HUAWEI: {
        "Huawei-Framed-Pool": ["pool-normal"],
        "Huawei-Input-Average-Rate": [2_000_000],
        "Huawei-Input-Peak-Rate": [2_000_000],
        "Huawei-Output-Average-Rate": [10_000_000],
        "Huawei-Output-Peak-Rate": [10_000_000],
        "Huawei-Remanent-Volume": [5 * 2**22],
    },
}
_SPEEDS[Vendor.UBIQUITI] = _SPEEDS[Vendor.CAMBIUM] = _SPEEDS[Vendor.WISPR]
_QUOTA_NAMES = {
    Vendor.MIKROTIK: ("Mikrotik-Total-Limit", "Mikrotik-Total-Limit-Gigawords"),
    Vendor.CHILLI: ("ChilliSpot-Max-Total-Octets", "ChilliSpot-Max-Total-Gigawords"),
    Vendor.CAMBIUM: (
        "Cambium-Traffic-Quota-Limit-Total",
        "Cambium-Traffic-Quota-Limit-Total-Gigwords",
    ),
}


@pytest.mark.rule("A6")
@pytest.mark.parametrize("vendor", list(Vendor))
def test_the_reply_speaks_the_dialect_of_the_nas(
    make: Factory, radius: dict[str, RadiusServer], now: datetime, vendor: Vendor
) -> None:
    plan = replace(DAY_PLAN, interim_seconds=120, idle_timeout_seconds=900)
    subscriber = make.subscriber(now, plan=plan)
    make.package(subscriber, now, seconds=3_600, octets=5 * 2**32 + 7)
    fixed = make.subscriber(now, framed_ip="10.9.8.5", speed_up_kbps=512, speed_down_kbps=1_024)
    make.package(fixed, now)
    with make.simulated_nas(now, vendor=vendor, auth_port=radius["auth"].port) as other:
        outcome = other.login(subscriber.username, PASSWORD)
        own = other.login(fixed.username, PASSWORD)
    expected: dict[str, list[object]] = {
        "Framed-Pool": ["pool-normal"],
        "Session-Timeout": [3_600],
        "Acct-Interim-Interval": [120],
        "Idle-Timeout": [900],
        "Class": [f"tw1:{subscriber.subscription_id}:n".encode()],
        **_SPEEDS[vendor],
    }
    if vendor in _QUOTA_NAMES:
        expected |= dict(zip(_QUOTA_NAMES[vendor], ([7], [5]), strict=True))
    outcome.attributes.pop("Message-Authenticator")
    assert outcome.attributes == expected
    assert own.first("Framed-IP-Address") == "10.9.8.5"
    assert "Framed-Pool" not in own.attributes
    if vendor is Vendor.MIKROTIK:
        assert own.first("Mikrotik-Rate-Limit") == "512k/1024k"


@pytest.mark.rule("A5")
@pytest.mark.parametrize("vendor", _QUOTA_NAMES)
def test_no_octet_limit_is_ever_zero(
    make: Factory, radius: dict[str, RadiusServer], now: datetime, vendor: Vendor
) -> None:
    low, high = _QUOTA_NAMES[vendor]
    with make.simulated_nas(now, vendor=vendor, auth_port=radius["auth"].port) as other:
        for octets, expected in (
            (1, (1, None)),
            (2**32, (2**32 - 1, None)),
            (2**33, (2**32 - 1, 1)),
        ):
            subscriber = make.subscriber(now)
            make.package(subscriber, now, octets=octets)
            outcome = other.login(subscriber.username, PASSWORD)
            assert (outcome.first(low), outcome.first(high)) == expected


@pytest.mark.rule("A6", "C3")
@pytest.mark.parametrize(
    ("says", "link", "limits"),
    [
        ({"Framed-Protocol": "PPP"}, Link.PPP, {"Mikrotik-Recv-Limit", "Mikrotik-Xmit-Limit"}),
        ({"Mikrotik-Host-IP": "10.5.50.2"}, Link.HOTSPOT, {"Mikrotik-Total-Limit"}),
    ],
)
def test_routeros_is_told_what_its_ppp_or_hotspot_understands(
    make: Factory,
    radius: dict[str, RadiusServer],
    now: datetime,
    says: dict[str, object],
    link: Link,
    limits: set[str],
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, octets=1_000_000)
    port = radius["auth"].port
    with make.simulated_nas(now, vendor=Vendor.MIKROTIK, auth_port=port) as router:
        outcome = router.login(subscriber.username, PASSWORD, extra=says)
    assert {name for name in outcome.attributes if name.endswith("-Limit")} == {
        *limits,
        "Mikrotik-Rate-Limit",
    }
    assert {outcome.first(name) for name in limits} == {1_000_000}
    assert outcome.first("Class") == f"tw1:{subscriber.subscription_id}:n:{link}".encode()


@pytest.mark.rule("A6")
def test_an_unknown_vendor_gets_standard_attributes_and_is_told_of_once(
    make: Factory, radius: dict[str, RadiusServer], now: datetime
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, seconds=3_600)
    with make.simulated_nas(now, vendor="acme", auth_port=radius["auth"].port) as other:
        for _ in range(2):
            outcome = other.login(subscriber.username, PASSWORD)
            assert outcome.first("Session-Timeout") == 3_600
            assert outcome.first("Framed-Pool") == "pool-normal"
    told = "the vendor 'acme' is not known; it is spoken to with standard attributes (generic)"
    server = radius["auth"]
    log = (server.log_dir / f"{server.name}.log").read_text(encoding="utf-8")
    assert log.count(told) == 1

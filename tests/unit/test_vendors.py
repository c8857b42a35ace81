"""The dialects of NAS vendors (rules A5, A6, C3, C4)."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.decision import Limits, Service
from billing.model.grants import NasCan
from billing.model.network import (
    Link,
    SessionIdentity,
    Vendor,
    default_coa_port,
    dialect_of,
    ends_at_octets,
    has_garden,
    link_of,
)
from radius_plugin import vendors
from radius_plugin.vendors.codec import Capabilities, OctetLimit, Part, Used, gigawords

SPOKEN = list(Vendor)
_TIGHTEN = (Path(__file__).resolve().parents[2] / "sql" / "functions" / "tighten_v1.sql").read_text(
    encoding="utf-8"
)
USED = Used(1800, 2**32)
EVERYTHING = frozenset(Part)
# Of these an operator names a speed: its figure is part of a text.
SPEEDS_BY_NAME = {"Mikrotik-Rate-Limit", "Cisco-AVPair", "ERX-Service-Activate:1"}
SERVICE = Service(
    pool="home",
    speed_up_kbps=512,
    speed_down_kbps=2048,
    interim_seconds=300,
    idle_timeout_seconds=600,
    limits=Limits(session_seconds=3600, total_octets=5 * 2**32 + 7),
    session_class="tw1:12:n",
)
IDENTITY = SessionIdentity(username="Alice", acct_session_id="8180001f", framed_ip="10.1.2.3")
STANDARD = {
    "Acct-Interim-Interval": "300",
    "Framed-Pool": "home",
    "Session-Timeout": "3600",
    "Idle-Timeout": "600",
    "Class": "0x7477313a31323a6e",
}


def encoded(vendor: str, service: Service = SERVICE, link: Link = Link.OTHER) -> dict[str, str]:
    """The reply by name; what occurs more than once must be added, not set, and is joined."""
    found: dict[str, str] = {}
    for name, operator, value in vendors.for_nas(vendor, link).encode(service):
        assert operator == ("+=" if name == "Cisco-AVPair" else ":=")
        assert operator == "+=" or name not in found
        found[name] = f"{found[name]} {value}" if name in found else value
    return found


def changed(
    vendor: Vendor,
    service: Service,
    *parts: Part,
    link: Link = Link.OTHER,
) -> tuple[tuple[str, str], ...]:
    return vendors.for_nas(vendor, link).change(service, USED, parts or EVERYTHING)


@pytest.mark.rule("A6")
def test_generic() -> None:
    assert encoded(Vendor.GENERIC) == STANDARD


@pytest.mark.rule("A5", "A6")
def test_mikrotik() -> None:
    assert encoded(Vendor.MIKROTIK) == STANDARD | {
        "Mikrotik-Rate-Limit": "512k/2048k",
        "Mikrotik-Total-Limit": "7",
        "Mikrotik-Total-Limit-Gigawords": "5",
    }


@pytest.mark.rule("A6", "F12")
def test_mikrotik_rate_is_upload_first_and_0_is_unlimited() -> None:
    assert encoded(Vendor.MIKROTIK, Service(speed_down_kbps=2048))["Mikrotik-Rate-Limit"] == (
        "0/2048k"
    )
    assert "Mikrotik-Rate-Limit" not in encoded(Vendor.MIKROTIK, Service())


@pytest.mark.rule("A5", "A6")
def test_chilli() -> None:
    assert encoded(Vendor.CHILLI) == STANDARD | {
        "ChilliSpot-Bandwidth-Max-Up": "512",
        "ChilliSpot-Bandwidth-Max-Down": "2048",
        "ChilliSpot-Max-Total-Octets": "7",
        "ChilliSpot-Max-Total-Gigawords": "5",
    }


@pytest.mark.rule("A6")
def test_wispr_speaks_bits_per_second() -> None:
    assert encoded(Vendor.WISPR) == STANDARD | {
        "WISPr-Bandwidth-Max-Up": "512000",
        "WISPr-Bandwidth-Max-Down": "2048000",
    }


@pytest.mark.rule("A6")
@pytest.mark.parametrize("vendor", SPOKEN)
def test_a_fixed_address_replaces_the_pool(vendor: Vendor) -> None:
    reply = encoded(vendor, Service(pool="home", framed_ip="10.9.8.7"))
    assert reply["Framed-IP-Address"] == "10.9.8.7"
    assert "Framed-Pool" not in reply


@pytest.mark.rule("F6")
@pytest.mark.parametrize(
    "service",
    [
        Service(framed_ip="10.9.8"),
        Service(framed_ip="2001:db8::1"),
        Service(framed_ip="10.9.8.7\0"),
        Service(pool=""),
        Service(pool="a\0b"),
        Service(pool="a\nb"),
        Service(pool="é" * 127),
        Service(session_class="x" * 254),
    ],
)
@pytest.mark.parametrize("vendor", SPOKEN)
def test_a_value_that_cannot_be_sent_is_refused(vendor: Vendor, service: Service) -> None:
    with pytest.raises(ValueError, match=r"Framed-|Class"):
        encoded(vendor, service)


@pytest.mark.rule("F6")
def test_backslashes_are_doubled() -> None:
    assert encoded(Vendor.GENERIC, Service(pool=r"a\b"))["Framed-Pool"] == r"a\\b"


@pytest.mark.rule("A5")
@given(
    seconds=st.none() | st.integers(-5, 2**70),
    total=st.none() | st.integers(-5, 2**70),
    speed=st.none() | st.integers(-5, 2**40),
    vendor=st.sampled_from(SPOKEN),
)
def test_numbers_are_positive_and_fit_their_attribute(
    seconds: int | None, total: int | None, speed: int | None, vendor: Vendor
) -> None:
    service = Service(
        speed_up_kbps=speed,
        speed_down_kbps=speed,
        limits=Limits(session_seconds=seconds, total_octets=total),
    )
    for reply in (encoded(vendor, service).items(), changed(vendor, service)):
        for name, value in reply:
            if name not in SPEEDS_BY_NAME and not name.startswith("ERX-Service"):
                assert re.fullmatch(r"[1-9]\d*", value), name
                assert int(value) < 2**32
    if seconds is not None and 1 <= seconds < 2**31:
        assert encoded(vendor, service)["Session-Timeout"] == str(seconds)


@pytest.mark.rule("A5")
@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (0, (0, 1)),
        (1, (0, 1)),
        (2**32 - 1, (0, 2**32 - 1)),
        (2**32, (0, 2**32 - 1)),
        (2**32 + 1, (1, 1)),
        (3 * 2**32, (2, 2**32 - 1)),
    ],
)
def test_the_low_word_of_a_limit_is_never_0(total: int, expected: tuple[int, int]) -> None:
    assert gigawords(total) == expected


@pytest.mark.rule("A5", "A6")
def test_mikrotik_limits_ppp_in_each_direction_and_hotspot_in_both_together() -> None:
    ppp = encoded(Vendor.MIKROTIK, link=Link.PPP)
    assert ppp == STANDARD | {
        "Class": "0x" + b"tw1:12:n:ppp".hex(),
        "Mikrotik-Rate-Limit": "512k/2048k",
        "Mikrotik-Recv-Limit": "7",
        "Mikrotik-Recv-Limit-Gigawords": "5",
        "Mikrotik-Xmit-Limit": "7",
        "Mikrotik-Xmit-Limit-Gigawords": "5",
    }
    hotspot = encoded(Vendor.MIKROTIK, link=Link.HOTSPOT)
    assert hotspot["Class"] == "0x" + b"tw1:12:n:hotspot".hex()
    assert hotspot["Mikrotik-Total-Limit"] == "7"
    assert "Mikrotik-Recv-Limit" not in hotspot


def test_the_kind_of_a_session_comes_back_with_its_class() -> None:
    assert link_of("tw1:12:n:ppp") is Link.PPP
    assert link_of("tw1:12:s:hotspot") is Link.HOTSPOT
    for other in (None, "", "tw1:12:n", "tw1:12:n:", "tw1:12:n:telnet", "a:b:c:d:ppp"):
        assert link_of(other) is Link.OTHER


@pytest.mark.rule("A6")
def test_ubiquiti_and_cambium_speak_wispr() -> None:
    wispr = encoded(Vendor.WISPR)
    assert encoded(Vendor.UBIQUITI) == wispr
    assert encoded(Vendor.CAMBIUM) == wispr | {
        "Cambium-Traffic-Quota-Limit-Total": "7",
        "Cambium-Traffic-Quota-Limit-Total-Gigwords": "5",
    }


@pytest.mark.rule("A6")
def test_cisco_names_policy_maps_and_has_no_octet_limit() -> None:
    assert encoded(Vendor.CISCO) == STANDARD | {
        "Cisco-AVPair": "ip:addr-pool=home"
        " subscriber:sub-qos-policy-in=tollway-up-512k"
        " subscriber:sub-qos-policy-out=tollway-down-2048k"
    }
    assert "Cisco-AVPair" not in encoded(Vendor.CISCO, Service(pool="home", framed_ip="10.9.8.7"))


@pytest.mark.rule("A6")
def test_juniper_starts_a_service_with_the_speed() -> None:
    assert encoded(Vendor.JUNIPER) == STANDARD | {
        "ERX-Address-Pool-Name": "home",
        "ERX-Service-Activate:1": "tollway-speed(512k,2048k)",
    }
    one_way = encoded(Vendor.JUNIPER, Service(speed_down_kbps=2048))
    assert one_way["ERX-Service-Activate:1"] == "tollway-speed(100g,2048k)"
    assert "ERX-Service-Activate:1" not in encoded(Vendor.JUNIPER, Service())


@pytest.mark.rule("A5", "A6")
def test_huawei_speaks_bits_per_second_and_kibibytes() -> None:
    assert encoded(Vendor.HUAWEI) == STANDARD | {
        "Huawei-Framed-Pool": "home",
        "Huawei-Input-Average-Rate": "512000",
        "Huawei-Input-Peak-Rate": "512000",
        "Huawei-Output-Average-Rate": "2048000",
        "Huawei-Output-Peak-Rate": "2048000",
        "Huawei-Remanent-Volume": str(5 * 2**22),
    }

    def volume(total_octets: int) -> str:
        limits = Limits(total_octets=total_octets)
        return encoded(Vendor.HUAWEI, Service(limits=limits))["Huawei-Remanent-Volume"]

    assert volume(1) == "1"
    assert volume(1024) == "1"
    assert volume(2047) == "1"  # never more than is left
    assert volume(2**50) == str(2**32 - 2)  # the largest value is read as no limit


@pytest.mark.rule("B10")
@pytest.mark.parametrize(
    ("vendor", "marks"),
    [
        (Vendor.MIKROTIK, {"Mikrotik-Address-List": "walled"}),
        (Vendor.CISCO, {"Filter-Id": "walled.in"}),
        (Vendor.JUNIPER, {"ERX-Service-Activate:1": "tollway-garden"}),
        (Vendor.HUAWEI, {"Filter-Id": "walled"}),
        (Vendor.GENERIC, {}),
        (Vendor.CHILLI, {}),
        (Vendor.WISPR, {}),
        (Vendor.UBIQUITI, {}),
        (Vendor.CAMBIUM, {}),
    ],
)
def test_what_marks_a_suspended_subscriber(vendor: Vendor, marks: dict[str, str]) -> None:
    """And what people are told of a vendor: the standard dialect has pools by name."""
    assert {name: value for name, _, value in vendors.for_nas(vendor).garden("walled")} == marks
    assert has_garden(vendor) == (bool(marks) or vendor is Vendor.GENERIC)


SESSION = (("User-Name", "Alice"), ("Acct-Session-Id", "8180001f"))
ADDRESS = ("Framed-IP-Address", "10.1.2.3")
BY_ADDRESS = (("User-Name", "Alice"), ADDRESS)


@pytest.mark.rule("C3", "F12")
@pytest.mark.parametrize(
    ("vendor", "link", "namings"),
    [
        (Vendor.GENERIC, Link.OTHER, (SESSION,)),
        (Vendor.CHILLI, Link.HOTSPOT, (SESSION,)),
        (Vendor.UBIQUITI, Link.OTHER, (SESSION,)),
        (Vendor.CAMBIUM, Link.OTHER, (SESSION,)),
        (Vendor.JUNIPER, Link.PPP, (SESSION,)),
        (Vendor.WISPR, Link.OTHER, ((*SESSION, ADDRESS), SESSION)),
        (Vendor.CISCO, Link.PPP, (SESSION, (*SESSION, ADDRESS))),
        (Vendor.HUAWEI, Link.PPP, (SESSION, BY_ADDRESS)),
        (Vendor.MIKROTIK, Link.PPP, (SESSION, (*SESSION, ADDRESS))),
        (Vendor.MIKROTIK, Link.HOTSPOT, (BY_ADDRESS, (*SESSION, ADDRESS))),
        (Vendor.MIKROTIK, Link.OTHER, ((*SESSION, ADDRESS), SESSION, BY_ADDRESS)),
    ],
)
def test_identification(
    vendor: Vendor, link: Link, namings: tuple[tuple[tuple[str, str], ...], ...]
) -> None:
    codec = vendors.for_nas(vendor, link)
    assert codec.identify(IDENTITY) == namings
    # Without an address there is the session, and nothing twice.
    assert codec.identify(replace(IDENTITY, framed_ip=None)) == (SESSION,)


@pytest.mark.rule("C4")
def test_capabilities() -> None:
    """What a CoA changes, vendor by vendor; docs/nas.md says the same."""

    def able(vendor: Vendor, link: Link = Link.OTHER) -> set[str]:
        capabilities = vendors.for_nas(vendor, link).capabilities
        names = set(Capabilities.__slots__) - {"octets"}
        return {name for name in names if getattr(capabilities, name)}

    assert able(Vendor.MIKROTIK) == able(Vendor.MIKROTIK, Link.HOTSPOT) == {"speed", "timeout"}
    assert able(Vendor.MIKROTIK, Link.PPP) == {"speed", "timeout", "quota"}
    assert able(Vendor.CHILLI) == {"speed", "timeout", "quota", "interim"}
    assert able(Vendor.WISPR) == {"speed"}
    assert able(Vendor.CISCO) == {"speed", "timeout"}
    assert able(Vendor.JUNIPER) == {"speed", "timeout", "fence"}
    assert able(Vendor.HUAWEI) == {"speed", "timeout"}
    assert able(Vendor.GENERIC) == able(Vendor.UBIQUITI) == able(Vendor.CAMBIUM) == set()


@pytest.mark.rule("Q4")
@pytest.mark.parametrize("vendor", list(Vendor))
@pytest.mark.parametrize("link", list(Link))
def test_a_limit_of_octets_is_claimed_where_one_is_sent(vendor: Vendor, link: Link) -> None:
    """And what people are told of a vendor is what its dialect does."""
    codec = vendors.for_nas(vendor, link)
    told = codec.encode(Service(limits=Limits(total_octets=10_000)))
    claimed = codec.capabilities.octets is not OctetLimit.NONE
    # A RouterOS session that may be PPP is sent a limit that only a hotspot heeds.
    unsure = vendor is Vendor.MIKROTIK and link is Link.OTHER
    assert (told != codec.encode(Service())) == (claimed or unsure)
    assert ends_at_octets(vendor) == (claimed or unsure)


@pytest.mark.rule("Q5")
def test_the_meter_knows_whose_limits_a_coa_changes() -> None:
    told = set(re.findall(r"'([a-z]+)'", _TIGHTEN.split("c_vendors")[1].split(";")[0]))
    able = {vendor for vendor in Vendor if vendors.for_nas(vendor).capabilities.timeout}
    assert told == {vendor.value for vendor in able}


@pytest.mark.rule("Q4")
def test_a_grant_is_split_where_each_direction_is_limited() -> None:
    codec = vendors.for_nas(Vendor.MIKROTIK, Link.PPP)
    share = Limits(total_octets=10, input_octets=3, output_octets=7)
    told = {name: value for name, _, value in codec.encode(Service(limits=share))}
    assert (told["Mikrotik-Recv-Limit"], told["Mikrotik-Xmit-Limit"]) == ("3", "7")
    used = Used(60, 100, input_octets=20)
    changed = dict(codec.change(Service(limits=share), used, {Part.QUOTA}))
    assert changed == {"Mikrotik-Recv-Limit": "23", "Mikrotik-Xmit-Limit": "87"}


@pytest.mark.rule("Q4")
def test_what_the_meter_is_told_of_a_nas() -> None:
    def able(vendor: Vendor, link: Link = Link.OTHER) -> NasCan:
        return vendors.for_nas(vendor, link).capabilities.nas_can

    coa = NasCan.MOVES_TIME | NasCan.MOVES_OCTETS | NasCan.RESTRICTS
    assert able(Vendor.CHILLI) == NasCan.LIMITS_TOTAL | coa
    assert able(Vendor.MIKROTIK, Link.PPP) == NasCan.LIMITS_EACH | coa
    assert able(Vendor.MIKROTIK, Link.HOTSPOT) == NasCan.LIMITS_TOTAL | NasCan.MOVES_TIME
    assert able(Vendor.HUAWEI) == NasCan.LIMITS_TOTAL | NasCan.MOVES_TIME
    assert able(Vendor.CAMBIUM) == NasCan.LIMITS_TOTAL
    assert able(Vendor.JUNIPER) == NasCan.MOVES_TIME | NasCan.FENCES | NasCan.RESTRICTS
    assert able(Vendor.CISCO) == NasCan.MOVES_TIME | NasCan.RESTRICTS
    assert able(Vendor.GENERIC) == able(Vendor.WISPR) == NasCan.NOTHING


@pytest.mark.rule("C4")
@pytest.mark.parametrize("vendor", SPOKEN)
@pytest.mark.parametrize("part", list(Part))
def test_who_can_change_something_says_how(vendor: Vendor, part: Part) -> None:
    codec = vendors.for_nas(vendor)
    changes = codec.change(SERVICE, USED, {part})
    if codec.capabilities.covers({part}):
        assert changes
    elif vendor is not Vendor.CHILLI:
        assert part is Part.QUOTA or not changes


@pytest.mark.rule("C4")
@pytest.mark.parametrize("vendor", SPOKEN)
def test_who_can_fence_in_can_let_out(vendor: Vendor) -> None:
    codec = vendors.for_nas(vendor)
    if codec.capabilities.fence:
        assert codec.fence(SERVICE)
        assert codec.let_out(SERVICE)
    else:
        with pytest.raises(ValueError, match="cannot be told by CoA"):
            codec.fence(SERVICE)


@pytest.mark.rule("B10", "P9")
def test_juniper_fences_in_and_lets_out_by_service() -> None:
    codec = vendors.for_nas(Vendor.JUNIPER)
    assert codec.fence(SERVICE) == (
        ("ERX-Service-Deactivate", "tollway-speed"),
        ("ERX-Service-Activate:1", "tollway-garden"),
    )
    assert codec.fence(Service()) == (("ERX-Service-Activate:1", "tollway-garden"),)
    assert codec.let_out(SERVICE) == (
        ("ERX-Service-Deactivate", "tollway-garden"),
        ("ERX-Service-Activate:1", "tollway-speed(512k,2048k)"),
    )
    assert codec.let_out(Service()) == (("ERX-Service-Deactivate", "tollway-garden"),)


@pytest.mark.rule("Q2", "F12")
def test_changing_speed() -> None:
    rate = ("Mikrotik-Rate-Limit", "512k/2048k")
    assert changed(Vendor.MIKROTIK, SERVICE, Part.SPEED) == (rate,)
    assert changed(Vendor.MIKROTIK, Service(), Part.SPEED) == (("Mikrotik-Rate-Limit", "0/0"),)
    assert changed(Vendor.WISPR, Service(speed_up_kbps=1), Part.SPEED) == (
        ("WISPr-Bandwidth-Max-Up", "1000"),
        ("WISPr-Bandwidth-Max-Down", "4294967295"),
    )
    assert changed(Vendor.CISCO, Service(speed_up_kbps=1), Part.SPEED) == (
        ("Cisco-AVPair", "subscriber:sub-qos-policy-in=tollway-up-1k"),
        ("Cisco-AVPair", "subscriber:sub-qos-policy-out=tollway-down-unlimited"),
    )
    assert changed(Vendor.JUNIPER, SERVICE, Part.SPEED) == (
        ("ERX-Service-Deactivate", "tollway-speed"),
        ("ERX-Service-Activate:1", "tollway-speed(512k,2048k)"),
    )
    assert dict(changed(Vendor.HUAWEI, Service(speed_up_kbps=1), Part.SPEED)) == {
        "Huawei-Input-Average-Rate": "1000",
        "Huawei-Input-Peak-Rate": "1000",
        "Huawei-Output-Average-Rate": "4294967295",
        "Huawei-Output-Peak-Rate": "4294967295",
    }


@pytest.mark.rule("F12")
@pytest.mark.parametrize("parts", [{Part.SPEED}, {Part.QUOTA}, EVERYTHING])
def test_a_coa_to_coova_chilli_repeats_everything(parts: set[Part]) -> None:
    """It resets what a CoA omits, and counts limits from the session's start."""
    assert dict(changed(Vendor.CHILLI, SERVICE, *parts)) == {
        "Acct-Interim-Interval": "300",
        "Session-Timeout": "5400",
        "Idle-Timeout": "600",
        "ChilliSpot-Bandwidth-Max-Up": "512",
        "ChilliSpot-Bandwidth-Max-Down": "2048",
        "ChilliSpot-Max-Total-Octets": "7",
        "ChilliSpot-Max-Total-Gigawords": "6",
    }


@pytest.mark.rule("B4")
def test_new_limits_count_from_the_start_of_the_session() -> None:
    timeout = ("Session-Timeout", "5400")
    for vendor in (Vendor.MIKROTIK, Vendor.CISCO, Vendor.JUNIPER, Vendor.HUAWEI):
        assert changed(vendor, SERVICE, Part.TIMEOUT) == (timeout,)
    assert dict(changed(Vendor.MIKROTIK, SERVICE, Part.QUOTA, link=Link.PPP)) == {
        "Mikrotik-Recv-Limit": "7",
        "Mikrotik-Recv-Limit-Gigawords": "6",
        "Mikrotik-Xmit-Limit": "7",
        "Mikrotik-Xmit-Limit-Gigawords": "6",
    }


@pytest.mark.parametrize("vendor", ["acme", "", "MikroTik"])
def test_an_unknown_vendor_gets_the_standard_dialect(vendor: str) -> None:
    assert vendors.for_nas(vendor).vendor is Vendor.GENERIC
    assert vendors.for_nas(vendor, Link.PPP).vendor is Vendor.GENERIC
    assert dialect_of(vendor) is Vendor.GENERIC


@pytest.mark.parametrize("vendor", SPOKEN)
@pytest.mark.parametrize("link", list(Link))
def test_every_vendor_has_a_dialect_of_its_own(vendor: Vendor, link: Link) -> None:
    assert vendors.for_nas(vendor, link).vendor is vendor
    assert vendors.for_nas(str(vendor), link).vendor is vendor
    assert dialect_of(vendor.value) is vendor


@pytest.mark.rule("C1")
def test_the_port_for_orders_is_the_vendors() -> None:
    assert default_coa_port("cisco") == 1700
    assert {default_coa_port(v) for v in [*SPOKEN, "acme"] if v != "cisco"} == {3799}

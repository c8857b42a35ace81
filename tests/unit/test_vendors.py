"""The dialects of NAS vendors (rules A5, A6, C3, C4)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.decision import Limits, Service
from billing.model.network import SessionIdentity, Vendor
from radius_plugin import vendors
from radius_plugin.vendors.codec import gigawords

STOCK_DICTIONARIES = Path("/usr/share/freeradius")
OWN_DICTIONARY = Path(__file__).parents[2] / "freeradius-config" / "dictionary"
SPOKEN = [Vendor.GENERIC, Vendor.MIKROTIK, Vendor.CHILLI, Vendor.WISPR]
SERVICE = Service(
    pool="home",
    speed_up_kbps=512,
    speed_down_kbps=2048,
    interim_seconds=300,
    idle_timeout_seconds=600,
    limits=Limits(session_seconds=3600, total_octets=5 * 2**32 + 7),
    session_class="tw1:12:n",
)
IDENTITY = SessionIdentity(
    username="Alice", acct_session_id="8180001f", framed_ip="10.1.2.3", nas_ip="10.0.0.1"
)
STANDARD = {
    "Acct-Interim-Interval": "300",
    "Framed-Pool": "home",
    "Session-Timeout": "3600",
    "Idle-Timeout": "600",
    "Class": "0x7477313a31323a6e",
}


def encoded(vendor: str, service: Service = SERVICE) -> dict[str, str]:
    pairs = vendors.for_nas(vendor).encode(service)
    assert all(operator == ":=" for _, operator, _ in pairs)
    assert len({name for name, _, _ in pairs}) == len(pairs)
    return {name: value for name, _, value in pairs}


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
    codec = vendors.for_nas(vendor)
    for reply in (encoded(vendor, service), codec.change_speed(service, 3600, 2**40)):
        for name, value in reply.items():
            if name != "Mikrotik-Rate-Limit":
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


@pytest.mark.rule("C3", "F12")
def test_identification() -> None:
    named = {"User-Name": "Alice", "Acct-Session-Id": "8180001f"}
    assert vendors.for_nas(Vendor.GENERIC).identify(IDENTITY) == named
    assert vendors.for_nas(Vendor.CHILLI).identify(IDENTITY) == named
    with_address = named | {"Framed-IP-Address": "10.1.2.3"}
    assert vendors.for_nas(Vendor.MIKROTIK).identify(IDENTITY) == with_address
    assert vendors.for_nas(Vendor.WISPR).identify(IDENTITY) == with_address


@pytest.mark.rule("C4")
def test_capabilities() -> None:
    mikrotik = vendors.for_nas(Vendor.MIKROTIK).capabilities
    assert mikrotik.speed
    assert not mikrotik.pool
    assert not mikrotik.address_list
    assert not vendors.for_nas(Vendor.GENERIC).capabilities.speed
    assert vendors.for_nas(Vendor.CHILLI).capabilities.quota


@pytest.mark.rule("C4")
@pytest.mark.parametrize("vendor", SPOKEN)
def test_who_can_change_speed_says_how(vendor: Vendor) -> None:
    codec = vendors.for_nas(vendor)
    assert bool(codec.change_speed(SERVICE, 0, 0)) == codec.capabilities.speed


@pytest.mark.rule("Q2", "F12")
def test_changing_speed() -> None:
    def changed(vendor: Vendor, service: Service) -> dict[str, str]:
        return vendors.for_nas(vendor).change_speed(service, 1800, 2**32)

    assert changed(Vendor.MIKROTIK, SERVICE) == {"Mikrotik-Rate-Limit": "512k/2048k"}
    assert changed(Vendor.MIKROTIK, Service()) == {"Mikrotik-Rate-Limit": "0/0"}
    assert changed(Vendor.WISPR, Service(speed_up_kbps=1)) == {
        "WISPr-Bandwidth-Max-Up": "1000",
        "WISPr-Bandwidth-Max-Down": "4294967295",
    }
    # CoovaChilli resets what a CoA omits, and counts limits from the session's start.
    assert changed(Vendor.CHILLI, SERVICE) == {
        "Acct-Interim-Interval": "300",
        "Session-Timeout": "5400",
        "Idle-Timeout": "600",
        "ChilliSpot-Bandwidth-Max-Up": "512",
        "ChilliSpot-Bandwidth-Max-Down": "2048",
        "ChilliSpot-Max-Total-Octets": "7",
        "ChilliSpot-Max-Total-Gigawords": "6",
    }


@pytest.mark.parametrize("vendor", [Vendor.CISCO, Vendor.JUNIPER, Vendor.HUAWEI, "acme", ""])
def test_vendors_without_a_dialect_get_the_standard_one(vendor: str) -> None:
    assert vendors.for_nas(vendor).vendor is Vendor.GENERIC


@pytest.mark.parametrize("vendor", SPOKEN)
def test_vendors_with_a_dialect(vendor: Vendor) -> None:
    assert vendors.for_nas(vendor).vendor is vendor
    assert vendors.for_nas(str(vendor)).vendor is vendor


@pytest.mark.rule("F6")
@pytest.mark.parametrize("vendor", SPOKEN)
def test_freeradius_knows_every_attribute(vendor: Vendor) -> None:
    """A name that it doesn't know is left out of the reply, with a line in the log."""
    known: set[str] = set()
    for dictionary in (*STOCK_DICTIONARIES.glob("dictionary*"), OWN_DICTIONARY):
        text = dictionary.read_text(encoding="utf-8", errors="replace")
        known.update(re.findall(r"^ATTRIBUTE\s+(\S+)", text, re.MULTILINE))
    codec = vendors.for_nas(vendor)
    sent = {name for name, _, _ in [*codec.encode(SERVICE), *codec.garden("walled")]}
    sent |= codec.identify(IDENTITY).keys() | codec.change_speed(SERVICE, 0, 0).keys()
    assert sent <= known

"""Attribute names, numbers and types against the dictionaries that FreeRADIUS has installed, and
what pyrad makes of them (rules A6, C3, F6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyrad.dictionary import Dictionary
from pyrad.packet import CoAPacket, CoARequest

from billing.model.decision import Limits, Service
from billing.model.network import Link, SessionIdentity, Vendor
from radius_plugin import coa, vendors
from radius_plugin.vendors import Codec, Part, Used

STOCK_DICTIONARIES = Path("/usr/share/freeradius")
OWN_DICTIONARY = Path(__file__).parents[2] / "freeradius-config" / "dictionary"
PYRAD_DICTIONARY = Path(coa.__file__).parent / "dictionary" / "radius"

SERVICE = Service(
    pool="home",
    speed_up_kbps=512,
    speed_down_kbps=2048,
    interim_seconds=300,
    idle_timeout_seconds=600,
    limits=Limits(session_seconds=3600, total_octets=5 * 2**32 + 7),
    session_class="tw1:12:n",
)
FIXED = Service(pool="home", framed_ip="10.9.8.7")
IDENTITY = SessionIdentity(username="Alice", acct_session_id="8180001f", framed_ip="10.1.2.3")
CODECS = [(vendor, link) for vendor in Vendor for link in Link]


@dataclass(frozen=True)
class Known:
    """An attribute as a dictionary has it; `vendor` is 0 for standard ones."""

    vendor: int
    number: int
    type: str


@pytest.fixture(scope="module")
def installed() -> dict[str, list[Known]]:
    """What FreeRADIUS loads with the product's own dictionary, by name."""
    numbers: dict[str, int] = {}
    known: dict[str, list[Known]] = {}
    for dictionary in (*sorted(STOCK_DICTIONARIES.glob("dictionary*")), OWN_DICTIONARY):
        within = 0
        for line in dictionary.read_text(encoding="utf-8", errors="replace").splitlines():
            words = line.split()
            if words[:1] == ["VENDOR"]:
                numbers[words[1]] = int(words[2])
            elif words[:1] == ["BEGIN-VENDOR"]:
                within = numbers[words[1]]
            elif words[:1] == ["END-VENDOR"]:
                within = 0
            elif words[:1] == ["ATTRIBUTE"] and words[2].isdecimal():
                entry = Known(within, int(words[2]), words[3].partition("[")[0])
                known.setdefault(words[1], []).append(entry)
    assert known
    return known


def codec_of(vendor: Vendor, link: Link) -> Codec:
    return vendors.for_nas(vendor, link)


def replied(codec: Codec) -> Iterator[tuple[str, str]]:
    """Everything that an Access-Accept of this dialect may carry."""
    for service in (SERVICE, FIXED):
        yield from ((name, value) for name, _, value in codec.encode(service))
    yield from ((name, value) for name, _, value in codec.garden("walled"))


def ordered(codec: Codec) -> Iterator[tuple[str, str]]:
    """Everything that its CoA and Disconnect may carry."""
    for naming in codec.identify(IDENTITY):
        yield from naming
    for service in (SERVICE, Service()):
        yield from codec.change(service, Used(1800, 2**40), frozenset(Part))
        if codec.capabilities.fence:
            yield from codec.fence(service)
            yield from codec.let_out(service)


@pytest.mark.rule("F6")
@pytest.mark.parametrize(("vendor", "link"), CODECS)
def test_freeradius_knows_every_attribute_of_a_reply(
    vendor: Vendor, link: Link, installed: dict[str, list[Known]]
) -> None:
    """A name that it doesn't know is left out of the reply, and an invalid value is sent as 0."""
    for name, value in replied(codec_of(vendor, link)):
        plain, _, tag = name.partition(":")
        assert plain in installed, name
        for entry in installed[plain]:
            assert fits(entry.type, value), (name, value, entry)
        assert tag in ("", "1")


def fits(kind: str, value: str) -> bool:
    """Whether FreeRADIUS reads the text as this type."""
    if kind == "integer":
        return re.fullmatch(r"\d+", value) is not None and int(value) < 2**32
    if kind == "ipaddr":
        return re.fullmatch(r"(\d{1,3}\.){3}\d{1,3}", value) is not None
    if kind == "octets":
        return re.fullmatch(r"0x([0-9a-f]{2})+", value) is not None
    return kind == "string" and 0 < len(value.encode()) <= 253


@pytest.mark.rule("C3")
@pytest.mark.parametrize(("vendor", "link"), CODECS)
def test_pyrad_encodes_every_attribute_of_an_order_as_freeradius_reads_it(
    vendor: Vendor, link: Link, installed: dict[str, list[Known]]
) -> None:
    dictionary = Dictionary(str(PYRAD_DICTIONARY))
    for name, value in ordered(codec_of(vendor, link)):
        plain, _, tag = name.partition(":")
        attribute = dictionary[plain]
        (known,) = installed[plain]
        number = dictionary.vendors.GetForward(attribute.vendor) if attribute.vendor else 0
        assert Known(number, attribute.code, attribute.type) == known
        assert attribute.has_tag == bool(tag)
        request = CoAPacket(code=CoARequest, secret=b"secret", dict=dictionary)
        request.AddAttribute(name, int(value) if known.type == "integer" else value)
        octets = request.RequestPacket()[20:]
        length = 4 if known.type in ("integer", "ipaddr") else len(value.encode()) + len(tag)
        assert len(octets) == length + (2 if number == 0 else 8)
        if number:
            assert octets[:8] == bytes(
                (26, length + 8, *number.to_bytes(4, "big"), known.number, length + 2)
            )
        else:
            assert octets[:2] == bytes((known.number, length + 2))
        if tag:
            assert octets[8:9] == bytes((int(tag),))


def test_both_dictionaries_have_the_same_numbers_and_types(
    installed: dict[str, list[Known]],
) -> None:
    """Also of what the simulated NAS reads of replies."""
    dictionary = Dictionary(str(PYRAD_DICTIONARY))
    for name, attribute in dictionary.attributes.items():
        number = dictionary.vendors.GetForward(attribute.vendor) if attribute.vendor else 0
        found = {(entry.vendor, entry.number) for entry in installed[name]}
        assert (number, attribute.code) in found, name

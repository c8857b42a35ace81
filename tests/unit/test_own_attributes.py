"""Which attributes one subscriber may be sent, and with what values (rule A6)."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.errors import InvalidInput
from billing.model.dictionary import DictionaryAttribute
from billing.rules import own_attributes as rules
from billing.services.dictionary import Dictionary
from billing.settings import Settings

pytestmark = pytest.mark.rule("A6")


@pytest.fixture(scope="module")
def installed() -> Dictionary:
    """What FreeRADIUS itself loads."""
    return Dictionary(Settings.model_fields["dictionary_dir"].default)


def known(dictionary: Dictionary, name: str) -> DictionaryAttribute:
    found = dictionary.find(name)
    assert found is not None
    return found


def test_names_are_found_in_any_case_with_their_vendor(installed: Dictionary) -> None:
    found = known(installed, "mikrotik-RATE-limit")
    assert (found.name, found.vendor, found.number, found.type) == (
        "Mikrotik-Rate-Limit",
        "Mikrotik",
        "8",
        "string",
    )
    assert known(installed, "Tunnel-Type").names["l2tp"] == "L2TP"
    assert "has_tag" in known(installed, "Tunnel-Type").flags
    assert installed.find("Mikrotik-Rate-Limt") is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Session-Timeout", "ends a session"),
        ("Mikrotik-Total-Limit", "ends a session"),
        ("ChilliSpot-Max-Total-Octets", "ends a session"),
        ("Cambium-Traffic-Quota-Limit-Total-Gigwords", "ends a session"),
        ("Class", "knows the session"),
        ("Framed-Pool", "pool"),
        ("ERX-Address-Pool-Name", "pool"),
        ("Framed-IP-Address", "--framed-ip"),
        ("Delegated-IPv6-Prefix", "subscriber ipv6"),
        ("User-Password", "login itself"),
        ("MS-MPPE-Send-Key", "login itself"),
        ("Tunnel-Password", "secret"),
        ("Auth-Type", "internal"),
        ("Fall-Through", "internal"),
        ("Cleartext-Password", "internal"),
        ("FreeRADIUS-Client-Secret", "internal"),
        ("Simultaneous-Use", "internal"),
        ("Acct-Session-Id", "sent by a NAS"),
        ("NAS-Identifier", "sent by a NAS"),
        ("Reply-Message", "why a login"),
    ],
)
def test_what_tollway_decides_is_refused(installed: Dictionary, name: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        rules.check_allowed(known(installed, name), installed.find)


@pytest.mark.parametrize(
    "name",
    ["Mikrotik-Rate-Limit", "Framed-Route", "Filter-Id", "Tunnel-Type", "Cisco-AVPair",
     "NAS-Filter-Rule", "Idle-Timeout", "Framed-IPv6-Route", "WISPr-Bandwidth-Max-Up"],
)  # fmt: skip
def test_what_one_subscriber_may_get(installed: Dictionary, name: str) -> None:
    rules.check_allowed(known(installed, name), installed.find)


def test_another_name_of_a_refused_number_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dictionary").write_text(
        "$INCLUDE dictionary.more\n$INCLUDE- dictionary.absent\n"
        "ATTRIBUTE\tSession-Timeout\t27\tinteger\n"
    )
    (tmp_path / "dictionary.more").write_text("ATTRIBUTE\tOld-Timeout\t27\tinteger # alias\n")
    dictionary = Dictionary(tmp_path)
    with pytest.raises(ValueError, match="ends a session"):
        rules.check_allowed(known(dictionary, "Old-Timeout"), dictionary.find)


@pytest.mark.parametrize("text", [None, "$INCLUDE dictionary\n", "$INCLUDE missing\n"])
def test_dictionaries_that_cannot_be_read_say_what_to_do(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "dictionary").write_text(text)
    with pytest.raises(InvalidInput, match="TOLLWAY_DICTIONARY_DIR"):
        Dictionary(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("Idle-Timeout", "0600", "600"),
        ("Tunnel-Type", "l2tp", "L2TP"),
        ("Tunnel-Type", "13", "13"),
        ("Filter-Id", "guests", "guests"),
        ("Filter-Id", "x" * 253, "x" * 253),
        ("Mikrotik-Rate-Limit", "10M/50M", "10M/50M"),
        ("Login-IP-Host", "192.0.2.1", "192.0.2.1"),
        ("Login-IPv6-Host", "2001:DB8::1", "2001:db8::1"),
        ("Framed-Interface-Id", "0:0:0:A", "0:0:0:a"),
        ("Cisco-NAS-Port", "tty0", "tty0"),
    ],
)
def test_values_are_read_for_their_type(
    installed: Dictionary, name: str, value: str, kept: str
) -> None:
    assert rules.checked_value(known(installed, name), value) == kept


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("Idle-Timeout", "abc", "number from 0 to 4294967295"),
        ("Idle-Timeout", "4294967296", "number from 0"),
        ("Idle-Timeout", "-1", "number from 0"),
        ("Idle-Timeout", "٣", "number from 0"),
        ("Tunnel-Type", "L2TPP", "or a name"),
        ("Tunnel-Type", "16777216", "16777215"),
        ("Filter-Id", "", "1 to 253 octets"),
        ("Filter-Id", "x" * 254, "1 to 253 octets"),
        ("Filter-Id", "a\nb", "printable"),
        ("Mikrotik-Rate-Limit", "x" * 248, "1 to 247 octets"),
        ("Login-IP-Host", "192.0.2.300", "an IPv4 address"),
        ("Login-IPv6-Host", "fe80::1%eth0", "without a zone"),
        ("Framed-Interface-Id", "1:2:3", "written like"),
        ("Ascend-Data-Filter", "0x00", "cannot be set"),
        ("WiMAX-Capability", "1", "cannot be set"),
    ],
)
def test_values_of_another_type_say_what_is_allowed(
    installed: Dictionary, name: str, value: str, allowed: str
) -> None:
    with pytest.raises(ValueError, match=allowed):
        rules.checked_value(known(installed, name), value)


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        ("octets", "0x00ff", True),
        ("octets", "00ff", False),
        ("octets", "0x0", False),
        ("octets[2]", "0x00FF", True),
        ("octets[2]", "0x00ff00", False),
        ("byte", "255", True),
        ("byte", "256", False),
        ("short", "65535", True),
        ("integer64", str(2**64 - 1), True),
        ("signed", "-5", True),
        ("ether", "02:00:5E:10:00:01", True),
        ("ether", "02005e100001", False),
        ("ipv4prefix", "192.0.2.0/24", True),
        ("ipv4prefix", "192.0.2.1/24", False),
        ("ipv6prefix", "2001:db8::/32", True),
        ("ipv6prefix", "2001:db8::1/32", False),
        ("combo-ip", "2001:db8::1", True),
        ("combo-ip", "192.0.2.1", True),
        ("date", "1", False),
    ],
)
def test_every_type(kind: str, value: str, *, fits: bool) -> None:
    attribute = DictionaryAttribute(name="X", number="1", type=kind)
    if fits:
        assert rules.checked_value(attribute, value) == value.lower()
    else:
        with pytest.raises(ValueError, match="X"):
            rules.checked_value(attribute, value)


def test_tags(installed: Dictionary) -> None:
    tagged, plain = known(installed, "Tunnel-Type"), known(installed, "Filter-Id")
    assert [rules.checked_tag(tagged, tag) for tag in ("", "1", "31")] == ["", "1", "31"]
    for tag in ("0", "32", "x", "-1", "1:2"):
        with pytest.raises(ValueError, match="1 to 31"):
            rules.checked_tag(tagged, tag)
    with pytest.raises(ValueError, match="has no tag"):
        rules.checked_tag(plain, "1")


def test_operators(installed: Dictionary) -> None:
    filter_id, pair = known(installed, "Filter-Id"), known(installed, "Cisco-AVPair")
    assert [rules.checked_operator(filter_id, op, "x") for op in (":=", "=", "+=")] == [
        ":=",
        "=",
        "+=",
    ]
    with pytest.raises(ValueError, match="replaces"):
        rules.checked_operator(filter_id, "==", "x")
    assert rules.checked_operator(pair, "+=", "ip:inacl#1=permit ip any any") == "+="
    with pytest.raises(ValueError, match="only be added"):
        rules.checked_operator(pair, ":=", "ip:inacl#1=permit ip any any")
    with pytest.raises(ValueError, match="Tollway's"):
        rules.checked_operator(pair, "+=", "ip:addr-pool=other")

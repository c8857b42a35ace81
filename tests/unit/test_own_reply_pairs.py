"""What one subscriber alone is sent, beside what its NAS's dialect sends (rules A6, B10)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pyrad.dictionary import Dictionary

from billing.model.decision import Accept, Reason, Service, Suspended
from billing.model.network import Vendor
from billing.model.own_reply import OwnReply, ReplyAttribute, own_reply_of
from radius_plugin import vendors
from radius_plugin.own_reply import told_again
from radius_plugin.reply import reply_pairs
from tests.unit.test_vendor_attributes import PYRAD_DICTIONARY

SPEED = ReplyAttribute(name="Mikrotik-Rate-Limit", operator=":=", value="1M/2M")
OWN = OwnReply(
    framed_ipv6_prefix="2001:db8:1::/64",
    delegated_ipv6_prefix="2001:db8:100::/56",
    framed_ipv6_address="2001:db8:1::7",
    attributes=(
        SPEED,
        ReplyAttribute(name="Idle-Timeout", operator="=", value="7"),
        ReplyAttribute(name="Port-Limit", operator="=", value="2"),
        ReplyAttribute(name="Filter-Id", operator="+=", value="a\\b", when_suspended=True),
        ReplyAttribute(name="Filter-Id", operator="+=", value="c"),
        ReplyAttribute(
            name="Mikrotik-Address-List", operator=":=", value="open", when_suspended=True
        ),
    ),
)
SERVICE = Service(
    pool="home", speed_up_kbps=512, speed_down_kbps=2048, idle_timeout_seconds=600, own_reply=OWN
)


def values(pairs: tuple[tuple[str, str, str], ...], name: str) -> list[str]:
    return [value for found, _, value in pairs if found == name]


@pytest.mark.rule("A6")
def test_operators_and_ipv6_in_an_accept() -> None:
    pairs = reply_pairs(Accept(service=SERVICE), Vendor.MIKROTIK)
    assert values(pairs, "Mikrotik-Rate-Limit") == ["1M/2M"]
    assert values(pairs, "Idle-Timeout") == ["600"]
    assert values(pairs, "Port-Limit") == ["2"]
    assert values(pairs, "Filter-Id") == ["a\\\\b", "c"]
    assert values(pairs, "Framed-IPv6-Prefix") == ["2001:db8:1::/64"]
    assert values(pairs, "Delegated-IPv6-Prefix") == ["2001:db8:100::/56"]
    assert values(pairs, "Framed-IPv6-Address") == ["2001:db8:1::7"]


@pytest.mark.rule("A6")
def test_who_has_nothing_of_its_own_is_answered_as_before() -> None:
    service = replace(SERVICE, own_reply=None)
    pairs = reply_pairs(Accept(service=service), Vendor.MIKROTIK)
    assert values(pairs, "Mikrotik-Rate-Limit") == ["512k/2048k"]
    assert not [name for name, _, _ in pairs if "IPv6" in name]


@pytest.mark.rule("B10")
def test_suspended_keeps_what_is_marked_and_nothing_opens_the_garden() -> None:
    service = replace(SERVICE, pool="walled", own_reply=OWN.suspended())
    pairs = reply_pairs(Suspended(reason=Reason.OVERDUE, service=service), Vendor.MIKROTIK)
    assert values(pairs, "Filter-Id") == ["a\\\\b"]
    assert "open" not in values(pairs, "Mikrotik-Address-List")
    assert values(pairs, "Mikrotik-Address-List")
    assert not [name for name, _, _ in pairs if "IPv6" in name]
    assert not values(pairs, "Mikrotik-Rate-Limit")


@pytest.mark.rule("B10")
def test_nothing_marked_is_nothing_sent() -> None:
    assert OwnReply(framed_ipv6_prefix="2001:db8::/64", attributes=(SPEED,)).suspended() is None


@pytest.mark.rule("Q2")
def test_a_coa_keeps_a_speed_of_its_own() -> None:
    told = (("Mikrotik-Rate-Limit", "512k/2048k"), ("Session-Timeout", "60"))
    assert told_again(told, OWN) == (("Mikrotik-Rate-Limit", "1M/2M"), ("Session-Timeout", "60"))
    assert told_again(told, None) is told


@pytest.mark.rule("F12")
def test_a_coa_tells_again_what_it_would_reset() -> None:
    told = (("Acct-Interim-Interval", "300"), ("ChilliSpot-Bandwidth-Max-Up", "512"))
    own = OwnReply(
        attributes=(
            ReplyAttribute(name="ChilliSpot-Bandwidth-Max-Down", operator=":=", value="2048"),
            ReplyAttribute(name="ChilliSpot-Bandwidth-Max-Up", operator="=", value="9"),
            ReplyAttribute(name="Idle-Timeout", operator="=", value="600"),
            ReplyAttribute(name="ChilliSpot-Config", operator="+=", value="a"),
            ReplyAttribute(name="ChilliSpot-Config", operator="+=", value="b"),
            ReplyAttribute(name="Filter-Id", operator=":=", value="stays"),
        )
    )
    resets = vendors.for_nas(Vendor.CHILLI).resets
    assert told_again(told, own, resets) == (
        *told,
        ("ChilliSpot-Bandwidth-Max-Down", "2048"),
        ("Idle-Timeout", "600"),
        ("ChilliSpot-Config", "a"),
        ("ChilliSpot-Config", "b"),
    )
    assert told_again(told, own) == told
    assert resets <= Dictionary(str(PYRAD_DICTIONARY)).attributes.keys()


@pytest.mark.rule("B10")
def test_where_nobody_is_fenced_in_suspension_makes_nobody_faster() -> None:
    service = replace(SERVICE, pool="walled", own_reply=None)
    suspended = Suspended(reason=Reason.OVERDUE, service=service)
    told = reply_pairs(suspended, Vendor.CHILLI)
    assert values(told, "ChilliSpot-Bandwidth-Max-Down") == ["2048"]
    assert values(reply_pairs(suspended, Vendor.WISPR), "WISPr-Bandwidth-Max-Up") == ["512000"]


def test_as_the_database_tells_it() -> None:
    assert own_reply_of(None) is None
    text = (
        '{"framed_ipv6_prefix": "2001:db8::/64", "delegated_ipv6_prefix": null,'
        ' "framed_ipv6_address": null, "attributes": [{"name": "Filter-Id", "operator": ":=",'
        ' "value": "x", "when_suspended": true}]}'
    )
    assert own_reply_of(text) == OwnReply(
        framed_ipv6_prefix="2001:db8::/64",
        attributes=(
            ReplyAttribute(name="Filter-Id", operator=":=", value="x", when_suspended=True),
        ),
    )

"""Hotspot controllers that follow WISPr: speeds in bit/s, no octet limit. And two makers of access
points that take WISPr's speeds at login: what is known of them beyond that is here, too."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from billing.model.decision import Service
from billing.model.network import SessionIdentity, Vendor
from radius_plugin.vendors import generic
from radius_plugin.vendors.codec import (
    INTEGER_LIMIT,
    Attributes,
    Capabilities,
    Codec,
    OctetLimit,
    Pair,
    Part,
    Used,
    integer,
    no_garden,
    quota,
)

_UP = "WISPr-Bandwidth-Max-Up"
_DOWN = "WISPr-Bandwidth-Max-Down"
_BITS_PER_KBIT = 1_000


def encode(service: Service) -> list[Pair]:
    """The standard ones and speed. Raises ValueError as `generic.encode` does."""
    pairs = generic.encode(service)
    if service.speed_up_kbps is not None:
        pairs.append(integer(_UP, service.speed_up_kbps * _BITS_PER_KBIT))
    if service.speed_down_kbps is not None:
        pairs.append(integer(_DOWN, service.speed_down_kbps * _BITS_PER_KBIT))
    return pairs


def identify(identity: SessionIdentity) -> tuple[Attributes, ...]:
    """Gateways keep their subscribers by address; some refuse it beside the session."""
    named, without = generic.with_address(identity), generic.session_names(identity)
    return (named,) if named == without else (named, without)


def change(service: Service, _used: Used, parts: Collection[Part]) -> Attributes:
    """Both speeds; WISPr has no word for unlimited but its largest value (4.29 Gbit/s)."""
    if Part.SPEED not in parts:
        return ()
    return ((_UP, _rate(service.speed_up_kbps)), (_DOWN, _rate(service.speed_down_kbps)))


def _rate(kbps: int | None) -> str:
    bits = INTEGER_LIMIT if kbps is None else kbps * _BITS_PER_KBIT
    return integer(_UP, bits)[2]


def _encode_cambium(service: Service) -> list[Pair]:
    """Speed as WISPr has it, and Cambium's own octet limit (its name is spelt so)."""
    pairs = encode(service)
    if service.limits.total_octets is not None:
        pairs += quota(
            "Cambium-Traffic-Quota-Limit-Total",
            "Cambium-Traffic-Quota-Limit-Total-Gigwords",
            service.limits.total_octets,
        )
    return pairs


CODEC = Codec(
    vendor=Vendor.WISPR,
    capabilities=Capabilities(speed=True),
    encode=encode,
    garden=no_garden,
    identify=identify,
    change=change,
)

# Their access points end sessions by Disconnect and document no CoA for speed or limits; they are
# built on hostapd, which refuses a Framed-IP-Address (F12).
UBIQUITI = replace(
    CODEC,
    vendor=Vendor.UBIQUITI,
    capabilities=Capabilities(),
    identify=generic.identify,
    change=generic.change,
)
CAMBIUM = replace(
    UBIQUITI,
    vendor=Vendor.CAMBIUM,
    capabilities=Capabilities(octets=OctetLimit.TOTAL),
    encode=_encode_cambium,
)

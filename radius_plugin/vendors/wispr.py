"""Hotspot controllers that follow WISPr: speeds in bit/s, no octet limit."""

from __future__ import annotations

from billing.model.decision import Service
from billing.model.network import SessionIdentity, Vendor
from radius_plugin.vendors import generic
from radius_plugin.vendors.codec import (
    INTEGER_LIMIT,
    Capabilities,
    Codec,
    Pair,
    integer,
    no_garden,
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


def identify(identity: SessionIdentity) -> dict[str, str]:
    """User-Name, Acct-Session-Id and the address, by which gateways keep their subscribers."""
    named = generic.identify(identity)
    if identity.framed_ip is not None:
        named["Framed-IP-Address"] = identity.framed_ip
    return named


def change_speed(service: Service, _used_seconds: int, _used_octets: int) -> dict[str, str]:
    """Both directions; WISPr has no word for unlimited but its largest value (4.29 Gbit/s)."""
    return {_UP: _rate(service.speed_up_kbps), _DOWN: _rate(service.speed_down_kbps)}


def _rate(kbps: int | None) -> str:
    bits = INTEGER_LIMIT if kbps is None else kbps * _BITS_PER_KBIT
    return integer(_UP, bits)[2]


CODEC = Codec(
    vendor=Vendor.WISPR,
    capabilities=Capabilities(speed=True),
    encode=encode,
    garden=no_garden,
    identify=identify,
    change_speed=change_speed,
)

"""Cisco IOS and IOS-XE as BRAS (ISG): PPPoE and IP sessions.

A speed is the name of a policy map on the router, made from the figure, so that a new speed needs
a policy map and nothing here. There is no octet limit: the reaction to accounting ends the session
(rule Q4). The walled garden is an access list of the suspended pool's name.
"""

from __future__ import annotations

from collections.abc import Collection

from billing.model.decision import Service
from billing.model.network import SessionIdentity, Vendor
from radius_plugin.vendors import generic
from radius_plugin.vendors.codec import (
    Attributes,
    Capabilities,
    Codec,
    Pair,
    Part,
    Used,
    attributes,
    session_timeout,
    text,
)

_AV_PAIR = "Cisco-AVPair"
_UP = "subscriber:sub-qos-policy-in=tollway-up-"
_DOWN = "subscriber:sub-qos-policy-out=tollway-down-"
_UNLIMITED = "unlimited"


def encode(service: Service) -> list[Pair]:
    """The standard ones, the pool by its older name too, and the policy maps of the speed.

    Raises ValueError as `generic.encode` does.
    """
    pairs = generic.encode(service)
    if service.pool is not None and service.framed_ip is None:
        name, _, value = text(_AV_PAIR, f"ip:addr-pool={service.pool}")
        pairs.append((name, "+=", value))
    if service.speed_up_kbps is not None:
        pairs.append((_AV_PAIR, "+=", _UP + _rate(service.speed_up_kbps)))
    if service.speed_down_kbps is not None:
        pairs.append((_AV_PAIR, "+=", _DOWN + _rate(service.speed_down_kbps)))
    return pairs


def _rate(kbps: int | None) -> str:
    return _UNLIMITED if kbps is None else f"{max(kbps, 1)}k"


def garden(pool: str) -> list[Pair]:
    """An access list for what comes from the subscriber."""
    return [text("Filter-Id", f"{pool}.in")]


def identify(identity: SessionIdentity) -> tuple[Attributes, ...]:
    """User and session; the older POD server wants the address as well (`auth-type all`)."""
    named, whole = generic.session_names(identity), generic.with_address(identity)
    return (named,) if named == whole else (named, whole)


def change(service: Service, used: Used, parts: Collection[Part]) -> Attributes:
    """Policy maps replace those in use; the ones named `unlimited` lift a limit."""
    changed: Attributes = ()
    if Part.SPEED in parts:
        changed += (
            (_AV_PAIR, _UP + _rate(service.speed_up_kbps)),
            (_AV_PAIR, _DOWN + _rate(service.speed_down_kbps)),
        )
    if Part.TIMEOUT in parts:
        changed += attributes(session_timeout(service, used))
    return changed


CODEC = Codec(
    vendor=Vendor.CISCO,
    capabilities=Capabilities(speed=True, timeout=True),
    encode=encode,
    garden=garden,
    identify=identify,
    change=change,
)

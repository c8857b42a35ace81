"""Juniper: Junos MX and ERX (JUNOSe) as broadband gateways.

Speed and the walled garden are services of the router (dynamic profiles), started and ended by
name: `tollway-speed(up,down)` and `tollway-garden`. So a CoA moves a running session into the
garden and out of it, at the address that it has; that is the one vendor here that can (rule C4).
There is no octet limit for a session (its Service-Volume ends the service that limits the speed,
and lets the session run on): the reaction to accounting ends it (rule Q4).
"""

from __future__ import annotations

from collections.abc import Collection

from billing.model.decision import Service
from billing.model.network import Vendor
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

_ACTIVATE = "ERX-Service-Activate:1"
_DEACTIVATE = "ERX-Service-Deactivate"
_SPEED = "tollway-speed"
_GARDEN = "tollway-garden"
# A policer's highest rate, for the direction that has no limit.
_UNLIMITED = "100g"


def encode(service: Service) -> list[Pair]:
    """The standard ones, the pool by the vendor's own name too, and speed.

    Raises ValueError as `generic.encode` does.
    """
    pairs = generic.encode(service)
    if service.pool is not None and service.framed_ip is None:
        pairs.append(text("ERX-Address-Pool-Name", service.pool))
    if _limited(service):
        pairs.append((_ACTIVATE, ":=", _speed(service)))
    return pairs


def _limited(service: Service) -> bool:
    return service.speed_up_kbps is not None or service.speed_down_kbps is not None


def _speed(service: Service) -> str:
    return f"{_SPEED}({_rate(service.speed_up_kbps)},{_rate(service.speed_down_kbps)})"


def _rate(kbps: int | None) -> str:
    return _UNLIMITED if kbps is None else f"{max(kbps, 1)}k"


def garden(_pool: str) -> list[Pair]:
    """The service that lets through to the payment page alone."""
    return [(_ACTIVATE, ":=", _GARDEN)]


def change(service: Service, used: Used, parts: Collection[Part]) -> Attributes:
    """A service with new parameters takes the place of the old one."""
    changed: Attributes = ()
    if Part.SPEED in parts:
        changed += ((_DEACTIVATE, _SPEED),)
        if _limited(service):
            changed += ((_ACTIVATE, _speed(service)),)
    if Part.TIMEOUT in parts:
        changed += attributes(session_timeout(service, used))
    return changed


def fence(service: Service) -> Attributes:
    """The garden takes the place of the speed."""
    into: Attributes = ((_ACTIVATE, _GARDEN),)
    return ((_DEACTIVATE, _SPEED), *into) if _limited(service) else into


def let_out(service: Service) -> Attributes:
    """And the speed the place of the garden."""
    out: Attributes = ((_DEACTIVATE, _GARDEN),)
    return (*out, (_ACTIVATE, _speed(service))) if _limited(service) else out


CODEC = Codec(
    vendor=Vendor.JUNIPER,
    capabilities=Capabilities(speed=True, timeout=True, fence=True),
    encode=encode,
    garden=garden,
    identify=generic.identify,
    change=change,
    fence=fence,
    let_out=let_out,
)

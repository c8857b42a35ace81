"""ChilliSpot and CoovaChilli.

A CoA resets every parameter that it omits, and limits count from the session's start (F12): so a
change of speed repeats all parameters, with what was used already added to the limits.
Addresses come from chilli's own DHCP: it has no named pools.
"""

from __future__ import annotations

from billing.model.decision import Service
from billing.model.network import SessionIdentity, Vendor
from radius_plugin.vendors import generic
from radius_plugin.vendors.codec import (
    SECONDS_LIMIT,
    Capabilities,
    Codec,
    Pair,
    integer,
    no_garden,
    quota,
)


def encode(service: Service) -> list[Pair]:
    """The standard ones, speed in kbit/s and octet limit. Raises ValueError as generic does."""
    return generic.encode(service) + _speed(service) + _quota(service, 0)


def _speed(service: Service) -> list[Pair]:
    pairs = []
    if service.speed_up_kbps is not None:
        pairs.append(integer("ChilliSpot-Bandwidth-Max-Up", service.speed_up_kbps))
    if service.speed_down_kbps is not None:
        pairs.append(integer("ChilliSpot-Bandwidth-Max-Down", service.speed_down_kbps))
    return pairs


def _quota(service: Service, used_octets: int) -> list[Pair]:
    if service.limits.total_octets is None:
        return []
    return quota(
        "ChilliSpot-Max-Total-Octets",
        "ChilliSpot-Max-Total-Gigawords",
        used_octets + max(service.limits.total_octets, 1),
    )


def identify(identity: SessionIdentity) -> dict[str, str]:
    """CoovaChilli looks sessions up by User-Name, then by Acct-Session-Id (F12)."""
    return generic.identify(identity)


def change_speed(service: Service, used_seconds: int, used_octets: int) -> dict[str, str]:
    """Every parameter of the session; an absent speed is unlimited."""
    pairs = [integer("Acct-Interim-Interval", service.interim_seconds, SECONDS_LIMIT)]
    if service.limits.session_seconds is not None:
        session_seconds = used_seconds + max(service.limits.session_seconds, 1)
        pairs.append(integer("Session-Timeout", session_seconds, SECONDS_LIMIT))
    if service.idle_timeout_seconds is not None:
        pairs.append(integer("Idle-Timeout", service.idle_timeout_seconds, SECONDS_LIMIT))
    pairs += _speed(service) + _quota(service, used_octets)
    return {name: value for name, _, value in pairs}


CODEC = Codec(
    vendor=Vendor.CHILLI,
    capabilities=Capabilities(speed=True, timeout=True, quota=True),
    encode=encode,
    garden=no_garden,
    identify=identify,
    change_speed=change_speed,
)

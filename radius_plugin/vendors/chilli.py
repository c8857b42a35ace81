"""ChilliSpot and CoovaChilli.

A CoA resets every parameter that it omits, and limits count from the session's start (F12): so a
CoA repeats all parameters, with what was used already added to the limits.
Addresses come from chilli's own DHCP: it has no named pools.
"""

from __future__ import annotations

from collections.abc import Collection

from billing.model.decision import Service
from billing.model.network import Vendor
from radius_plugin.vendors import generic
from radius_plugin.vendors.codec import (
    SECONDS_LIMIT,
    Attributes,
    Capabilities,
    Codec,
    OctetLimit,
    Pair,
    Part,
    Used,
    attributes,
    integer,
    no_garden,
    quota,
    session_timeout,
)

_RESET_BY_COA = frozenset(
    {
        *("Session-Timeout", "Idle-Timeout", "Acct-Interim-Interval", "ChilliSpot-Config"),
        *("ChilliSpot-Bandwidth-Max-Up", "ChilliSpot-Bandwidth-Max-Down"),
        *("WISPr-Bandwidth-Max-Up", "WISPr-Bandwidth-Max-Down"),
        *("WISPr-Redirection-URL", "WISPr-Session-Terminate-Time"),
        *("ChilliSpot-Max-Input-Octets", "ChilliSpot-Max-Output-Octets"),
        *("ChilliSpot-Max-Total-Octets", "ChilliSpot-Max-Total-Gigawords"),
    }
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


def change(service: Service, used: Used, _parts: Collection[Part]) -> Attributes:
    """Every parameter of the session, whatever is to change; an absent speed is unlimited."""
    pairs = [integer("Acct-Interim-Interval", service.interim_seconds, SECONDS_LIMIT)]
    pairs += session_timeout(service, used)
    if service.idle_timeout_seconds is not None:
        pairs.append(integer("Idle-Timeout", service.idle_timeout_seconds, SECONDS_LIMIT))
    return attributes(pairs + _speed(service) + _quota(service, used.octets))


CODEC = Codec(
    vendor=Vendor.CHILLI,
    capabilities=Capabilities(
        speed=True, timeout=True, quota=True, interim=True, octets=OctetLimit.TOTAL
    ),
    encode=encode,
    garden=no_garden,
    # CoovaChilli looks sessions up by User-Name, then by Acct-Session-Id (F12).
    identify=generic.identify,
    change=change,
    resets=_RESET_BY_COA,
)

"""MikroTik RouterOS: PPP and hotspot.

RouterOS keeps what a CoA does not name, and can't change address, pool or address list by CoA.
Of octet limits its CoA takes those per direction only, and ours is one for both.
"""

from __future__ import annotations

from billing.model.decision import Service
from billing.model.network import SessionIdentity, Vendor
from radius_plugin.vendors import generic
from radius_plugin.vendors.codec import Capabilities, Codec, Pair, quota, text

_RATE_LIMIT = "Mikrotik-Rate-Limit"


def encode(service: Service) -> list[Pair]:
    """The standard ones, speed and octet limit. Raises ValueError as `generic.encode` does."""
    pairs = generic.encode(service)
    if service.speed_up_kbps is not None or service.speed_down_kbps is not None:
        pairs.append((_RATE_LIMIT, ":=", _rate_limit(service)))
    if service.limits.total_octets is not None:
        pairs += quota(
            "Mikrotik-Total-Limit", "Mikrotik-Total-Limit-Gigawords", service.limits.total_octets
        )
    return pairs


def _rate_limit(service: Service) -> str:
    """rx/tx as the router sees it, so the subscriber's upload first; 0 is unlimited."""
    return f"{_rate(service.speed_up_kbps)}/{_rate(service.speed_down_kbps)}"


def _rate(kbps: int | None) -> str:
    return "0" if kbps is None else f"{max(kbps, 1)}k"


def garden(pool: str) -> list[Pair]:
    """The firewall finds suspended subscribers in an address list of the pool's name."""
    return [text("Mikrotik-Address-List", pool)]


def identify(identity: SessionIdentity) -> dict[str, str]:
    """PPP is found by User-Name and Acct-Session-Id, a hotspot user by Framed-IP-Address."""
    named = generic.identify(identity)
    if identity.framed_ip is not None:
        named["Framed-IP-Address"] = identity.framed_ip
    return named


def change_speed(service: Service, _used_seconds: int, _used_octets: int) -> dict[str, str]:
    """The rate alone; `0/0` lifts it."""
    return {_RATE_LIMIT: _rate_limit(service)}


CODEC = Codec(
    vendor=Vendor.MIKROTIK,
    capabilities=Capabilities(speed=True, timeout=True),
    encode=encode,
    garden=garden,
    identify=identify,
    change_speed=change_speed,
)

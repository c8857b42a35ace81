"""MikroTik RouterOS: PPP and hotspot, which it treats differently.

RouterOS keeps what a CoA does not name, and can't change address, pool or address list by CoA.
Hotspot users have one limit of octets for both directions (Mikrotik-Total-Limit), which no CoA
changes; PPP has one for each direction, which a CoA changes. With an allowance that is shared,
each gets all that is left, so that the router is the second line behind the reaction to accounting;
a grant, which must not be passed, is split between the two (rule Q4). A session of which it is not
known which of the two it is has no limit of octets that could be relied on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import lru_cache

from billing.model.decision import Limits, Service
from billing.model.network import Link, SessionIdentity, Vendor
from radius_plugin.vendors import generic
from radius_plugin.vendors.codec import (
    Attributes,
    Capabilities,
    Codec,
    OctetLimit,
    Pair,
    Part,
    Used,
    attributes,
    octets,
    quota,
    session_timeout,
    text,
)

_RATE_LIMIT = "Mikrotik-Rate-Limit"
_NO_QUOTA = 2**62
_UNUSED = Used(0, 0)


def _encoder(link: Link) -> Callable[[Service], list[Pair]]:
    """The encoder of an Access-Accept for sessions of this kind.

    Class tells the kind back, with every accounting record: a CoA needs to know it.
    """
    quota_of = _quota_of_each_direction if link is Link.PPP else _quota_of_both

    def encode(service: Service) -> list[Pair]:
        pairs = generic.encode(service)
        if link and service.session_class:
            # Class is what generic puts last.
            pairs[-1] = octets("Class", f"{service.session_class}:{link.value}")
        if service.speed_up_kbps is not None or service.speed_down_kbps is not None:
            pairs.append((_RATE_LIMIT, ":=", _rate_limit(service)))
        if service.limits.total_octets is not None:
            pairs += quota_of(service.limits, _UNUSED)
        return pairs

    return encode


def _quota_of_both(limits: Limits, _used: Used) -> list[Pair]:
    total_octets = limits.total_octets or 1
    return quota("Mikrotik-Total-Limit", "Mikrotik-Total-Limit-Gigawords", total_octets)


def _quota_of_each_direction(limits: Limits, used: Used) -> list[Pair]:
    """What the router receives is what the subscriber sends."""
    both = used.octets + max(limits.total_octets or 0, 1)
    sent = received = both
    if limits.input_octets is not None and limits.output_octets is not None:
        sent = used.input_octets + max(limits.input_octets, 1)
        received = used.output_octets + max(limits.output_octets, 1)
    return [
        *quota("Mikrotik-Recv-Limit", "Mikrotik-Recv-Limit-Gigawords", sent),
        *quota("Mikrotik-Xmit-Limit", "Mikrotik-Xmit-Limit-Gigawords", received),
    ]


def _rate_limit(service: Service) -> str:
    return _rates(service.speed_up_kbps, service.speed_down_kbps)


@lru_cache(maxsize=4096)
def _rates(up_kbps: int | None, down_kbps: int | None) -> str:
    """rx/tx as the router sees it, so the subscriber's upload first; 0 is unlimited."""
    return f"{_rate(up_kbps)}/{_rate(down_kbps)}"


def _rate(kbps: int | None) -> str:
    return "0" if kbps is None else f"{max(kbps, 1)}k"


def garden(pool: str) -> list[Pair]:
    """The firewall finds suspended subscribers in an address list of the pool's name."""
    return [text("Mikrotik-Address-List", pool)]


def _by_address(identity: SessionIdentity) -> Attributes:
    """How the hotspot finds a user."""
    if identity.framed_ip is None:
        return generic.session_names(identity)
    return (("User-Name", identity.username), ("Framed-IP-Address", identity.framed_ip))


def _distinct(*namings: Attributes) -> tuple[Attributes, ...]:
    return tuple(dict.fromkeys(namings))


def _identify_any(identity: SessionIdentity) -> tuple[Attributes, ...]:
    """The kind is not known: everything at first, then as PPP, then as hotspot."""
    return _distinct(
        generic.with_address(identity), generic.session_names(identity), _by_address(identity)
    )


def _identify_ppp(identity: SessionIdentity) -> tuple[Attributes, ...]:
    return _distinct(generic.session_names(identity), generic.with_address(identity))


def _identify_hotspot(identity: SessionIdentity) -> tuple[Attributes, ...]:
    return _distinct(_by_address(identity), generic.with_address(identity))


def change(service: Service, used: Used, parts: Collection[Part]) -> Attributes:
    """What is to change, and nothing else; the rate `0/0` lifts a limit."""
    changed: Attributes = ()
    if Part.SPEED in parts:
        changed += ((_RATE_LIMIT, _rate_limit(service)),)
    if Part.TIMEOUT in parts:
        changed += attributes(session_timeout(service, used))
    if Part.QUOTA in parts:
        # The router keeps what is not named: only a larger limit lifts one.
        lifted = service.limits.total_octets is None
        limits = Limits(total_octets=_NO_QUOTA) if lifted else service.limits
        changed += attributes(_quota_of_each_direction(limits, used))
    return changed


CODEC = Codec(
    vendor=Vendor.MIKROTIK,
    capabilities=Capabilities(speed=True, timeout=True),
    encode=_encoder(Link.OTHER),
    garden=garden,
    identify=_identify_any,
    change=change,
)
HOTSPOT = replace(
    CODEC,
    capabilities=Capabilities(speed=True, timeout=True, octets=OctetLimit.TOTAL),
    encode=_encoder(Link.HOTSPOT),
    identify=_identify_hotspot,
)
PPP = replace(
    CODEC,
    capabilities=Capabilities(speed=True, timeout=True, quota=True, octets=OctetLimit.EACH),
    encode=_encoder(Link.PPP),
    identify=_identify_ppp,
)

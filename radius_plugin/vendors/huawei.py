"""Huawei NetEngine and ME60 as BRAS: rates in bit/s, octets left in KiB.

Its octet limit counts what is left at login; whether a CoA sets it anew its documentation does
not say for plain sessions, so new octets come with a new login (rule C4).
"""

from __future__ import annotations

from collections.abc import Collection

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
    attributes,
    integer,
    session_timeout,
    text,
)

_BITS_PER_KBIT = 1_000
_OCTETS_PER_KIB = 1_024
# 2^32 − 1 is read as no limit.
_KIB_LIMIT = INTEGER_LIMIT - 1


def encode(service: Service) -> list[Pair]:
    """The standard ones, the pool by the vendor's own name too, average and peak rates, octets.

    Raises ValueError as `generic.encode` does.
    """
    pairs = generic.encode(service)
    if service.pool is not None and service.framed_ip is None:
        pairs.append(text("Huawei-Framed-Pool", service.pool))
    pairs += _rates("Input", service.speed_up_kbps) if service.speed_up_kbps is not None else []
    pairs += (
        _rates("Output", service.speed_down_kbps) if service.speed_down_kbps is not None else []
    )
    if service.limits.total_octets is not None:
        # Rounded down: what is told may not be more than what is left (rule Q4). The last KiB of a
        # package is told as a whole one, as 0 would be no limit (rule A5).
        kib = service.limits.total_octets // _OCTETS_PER_KIB
        pairs.append(integer("Huawei-Remanent-Volume", kib, _KIB_LIMIT))
    return pairs


def _rates(direction: str, kbps: int | None) -> list[Pair]:
    """`Input` is what comes from the subscriber; its largest value lifts a limit."""
    bits = INTEGER_LIMIT if kbps is None else kbps * _BITS_PER_KBIT
    return [
        integer(f"Huawei-{direction}-Average-Rate", bits),
        integer(f"Huawei-{direction}-Peak-Rate", bits),
    ]


def garden(pool: str) -> list[Pair]:
    """A user group of the pool's name, with its access list."""
    return [text("Filter-Id", pool)]


def identify(identity: SessionIdentity) -> tuple[Attributes, ...]:
    """By session; by user and address where an older release does not know it."""
    named = generic.session_names(identity)
    if identity.framed_ip is None:
        return (named,)
    by_address = (("User-Name", identity.username), ("Framed-IP-Address", identity.framed_ip))
    return (named, by_address)


def change(service: Service, used: Used, parts: Collection[Part]) -> Attributes:
    """Rates and time; what is not named stays."""
    changed: Attributes = ()
    if Part.SPEED in parts:
        changed += attributes(_rates("Input", service.speed_up_kbps))
        changed += attributes(_rates("Output", service.speed_down_kbps))
    if Part.TIMEOUT in parts:
        changed += attributes(session_timeout(service, used))
    return changed


CODEC = Codec(
    vendor=Vendor.HUAWEI,
    capabilities=Capabilities(speed=True, timeout=True, octets=OctetLimit.TOTAL),
    encode=encode,
    garden=garden,
    identify=identify,
    change=change,
)

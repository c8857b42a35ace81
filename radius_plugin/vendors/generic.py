"""Standard attributes only (RFC 2865, 2869): the base of every vendor, and the fallback.

No standard attribute carries a speed or an octet limit: octets are then limited by the reaction
to accounting (rule Q4), and speed by the NAS's own profile.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from socket import AF_INET, inet_pton

from billing.model.decision import Service
from billing.model.network import SessionIdentity, Vendor
from radius_plugin.vendors.codec import (
    SECONDS_LIMIT,
    Attributes,
    Capabilities,
    Codec,
    Pair,
    Part,
    Used,
    integer,
    no_garden,
    octets,
    text,
)


def encode(service: Service) -> list[Pair]:
    """Address or pool, time limit, idle and interim seconds, Class (rule A6).

    Raises ValueError when an address or a text can't be sent.
    """
    pairs = list(_sold(service.interim_seconds, service.idle_timeout_seconds, service.pool))
    if service.framed_ip is not None:
        pairs = [pair for pair in pairs if pair[0] != "Framed-Pool"]
        pairs.append(_framed_ip(service.framed_ip))
    if service.limits.session_seconds is not None:
        pairs.append(integer("Session-Timeout", service.limits.session_seconds, SECONDS_LIMIT))
    if service.session_class:
        pairs.append(octets("Class", service.session_class))
    return pairs


@lru_cache(maxsize=4096)
def _sold(
    interim_seconds: int, idle_timeout_seconds: int | None, pool: str | None
) -> tuple[Pair, ...]:
    """What is the same for all who have bought the same. Raises ValueError."""
    pairs = [integer("Acct-Interim-Interval", interim_seconds, SECONDS_LIMIT)]
    if pool is not None:
        pairs.append(text("Framed-Pool", pool))
    if idle_timeout_seconds is not None:
        pairs.append(integer("Idle-Timeout", idle_timeout_seconds, SECONDS_LIMIT))
    return tuple(pairs)


def _framed_ip(address: str) -> Pair:
    try:
        inet_pton(AF_INET, address)
    except (OSError, ValueError) as error:
        raise ValueError("Framed-IP-Address is not an IPv4 address") from error
    return ("Framed-IP-Address", ":=", address)


def session_names(identity: SessionIdentity) -> Attributes:
    """User-Name and Acct-Session-Id: strongSwan looks at the first, hostapd at the second, and
    hostapd refuses a Disconnect with Framed-IP-Address."""
    return (("User-Name", identity.username), ("Acct-Session-Id", identity.acct_session_id))


def with_address(identity: SessionIdentity) -> Attributes:
    """The same and Framed-IP-Address, where it is known."""
    if identity.framed_ip is None:
        return session_names(identity)
    return (*session_names(identity), ("Framed-IP-Address", identity.framed_ip))


def identify(identity: SessionIdentity) -> tuple[Attributes, ...]:
    """One way, by user and session."""
    return (session_names(identity),)


def change(_service: Service, _used: Used, _parts: Collection[Part]) -> Attributes:
    """What a NAS of unknown make changes by CoA is unknown."""
    return ()


CODEC = Codec(
    vendor=Vendor.GENERIC,
    capabilities=Capabilities(),
    encode=encode,
    garden=no_garden,
    identify=identify,
    change=change,
)

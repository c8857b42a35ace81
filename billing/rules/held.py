"""Which sessions held an address, and how sure that is (rule U12)."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from socket import AF_INET6, inet_ntop

from billing.model.who_had import Certainty, Held, Holding, WantedAddress

_HOST_BITS = 64
"""Of an IPv6 address: what an interface id says (RFC 6572 5.2.2)."""


def wanted_address(text: str) -> WantedAddress:
    """What is looked for: an IPv4 or IPv6 address, or an IPv6 prefix, for which who had all of it
    counts. Raises ValueError with what to write instead."""
    bare = text.strip()
    try:
        if "/" in bare:
            network = IPv6Network(bare, strict=False)
            return WantedAddress(
                text=_prefix(int(network.network_address), network.prefixlen),
                prefixes=_prefixes(int(network.network_address), network.prefixlen),
            )
        if ":" not in bare:
            return WantedAddress(text=str(IPv4Address(bare)), ipv4=str(IPv4Address(bare)))
        address = IPv6Address(bare)
        if address.scope_id is not None:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"{text!r} is not an address; write it like 192.0.2.7, 2001:db8::7 or 2001:db8:7::/48"
        ) from None
    if address.ipv4_mapped is not None:
        return WantedAddress(text=str(address.ipv4_mapped), ipv4=str(address.ipv4_mapped))
    number = int(address)
    return WantedAddress(
        text=_ipv6(number),
        ipv6=_ipv6(number),
        prefixes=_prefixes(number, 128),
        interface_id=_interface_id(number),
    )


def how_held(wanted: WantedAddress, held: Holding) -> Held:
    """What of the session matches, the most exact first; what SQL found holds one of them."""
    if wanted.ipv4 is not None or (wanted.ipv6 and held.framed_ipv6_address == wanted.ipv6):
        return Held.ADDRESS
    same_id = wanted.interface_id is not None and held.framed_interface_id == wanted.interface_id
    if held.framed_ipv6_prefix in wanted.prefixes:
        return Held.PREFIX_AND_INTERFACE if same_id else Held.FRAMED_PREFIX
    if held.delegated_ipv6_prefix in wanted.prefixes:
        return Held.DELEGATED_PREFIX
    return Held.INTERFACE


def certainty(held: Holding, at: datetime) -> Certainty:
    """Whether the session held it at `at`, or only within the tolerance that was searched."""
    if held.started_at > at or (held.closed_at is not None and held.closed_at < at):
        return Certainty.NEAR
    if held.closed_at is None and held.last_event_at < at:
        return Certainty.SILENT
    return Certainty.THEN


def _prefixes(number: int, longest: int) -> tuple[str, ...]:
    """Every prefix that holds it, longest first, as `framed_ipv6_prefix` is stored: they are looked
    up by an index of text, in which containment is equality."""
    return tuple(_prefix(number, length) for length in range(longest, 0, -1))


def _prefix(number: int, length: int) -> str:
    host_bits = 128 - length
    return f"{_ipv6(number >> host_bits << host_bits)}/{length}"


def _ipv6(number: int) -> str:
    """As FreeRADIUS prints it, which is inet_ntop, and not str(IPv6Address): ::192.0.2.1."""
    return inet_ntop(AF_INET6, number.to_bytes(16, "big"))


def _interface_id(number: int) -> str:
    """The lower half as FreeRADIUS prints Framed-Interface-Id: four groups, no zeros before."""
    low = number & ((1 << _HOST_BITS) - 1)
    return ":".join(f"{low >> shift & 0xFFFF:x}" for shift in (48, 32, 16, 0))

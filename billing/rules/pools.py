"""Ranges of addresses, as people write them (rule A6), pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise

ADDRESS_LIMIT = 65_536
_NETWORK_AND_BROADCAST = 2

Range = tuple[IPv4Address, IPv4Address]
"""First and last address, both included."""


def parse_range(text: str) -> Range:
    """`10.20.0.0/24` (without the network's own and the broadcast address), `10.20.0.10-10.20.0.99`
    or one address. Raises ValueError with what is wrong."""
    text = text.strip()
    try:
        if "/" in text:
            return _hosts(IPv4Network(text))
        first, _, last = text.partition("-")
        found = IPv4Address(first.strip()), IPv4Address((last or first).strip())
    except ValueError:
        raise ValueError(
            f"{text!r} is no range of IPv4 addresses: write it like 10.20.0.0/24 or "
            "10.20.0.10-10.20.0.99"
        ) from None
    if found[1] < found[0]:
        raise ValueError(f"{text!r} ends before it begins")
    return found


def parse_ranges(texts: Sequence[str]) -> tuple[Range, ...]:
    """In order of addresses. Raises ValueError when they overlap, are none or too many."""
    ranges = sorted(parse_range(text) for text in texts)
    if not ranges:
        raise ValueError("at least one range is needed, like 10.20.0.0/24")
    for before, after in pairwise(ranges):
        if after[0] <= before[1]:
            raise ValueError(f"the ranges overlap at {after[0]}")
    if sum(size(one) for one in ranges) > ADDRESS_LIMIT:
        raise ValueError(f"a pool may have {ADDRESS_LIMIT} addresses at most: make several")
    return tuple(ranges)


def size(one: Range) -> int:
    """How many addresses."""
    return int(one[1]) - int(one[0]) + 1


def shown(one: Range) -> str:
    """Back to text."""
    return str(one[0]) if one[0] == one[1] else f"{one[0]}-{one[1]}"


def checked_netmask(text: str) -> str:
    """A netmask like 255.255.255.0. Raises ValueError."""
    try:
        network = IPv4Network(f"0.0.0.0/{text.strip().removeprefix('/')}")
    except ValueError:
        raise ValueError(f"{text!r} is no netmask: write it like 255.255.255.0") from None
    return str(network.netmask)


def _hosts(network: IPv4Network) -> Range:
    first, last = network.network_address, network.broadcast_address
    if network.num_addresses > _NETWORK_AND_BROADCAST:
        return first + 1, last - 1
    return first, last

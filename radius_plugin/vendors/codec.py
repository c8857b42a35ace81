"""What every vendor file provides, and the checks of a value before it is sent.

FreeRADIUS sends an invalid value as zero, and un-escapes texts (radius.md F6): so a value is
checked and escaped here, where it becomes a text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from billing.model.decision import Service
from billing.model.network import SessionIdentity, Vendor

Pair = tuple[str, str, str]
"""Name, operator and value of one attribute of a reply."""

TEXT_OCTETS_LIMIT = 253
INTEGER_LIMIT = 2**32 - 1
# Some NAS read seconds as signed; 68 years are enough for all.
SECONDS_LIMIT = 2**31 - 1
_GIGAWORD_OCTETS = 2**32
_OCTETS_LIMIT = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a CoA changes in a running session (rule C4); all else needs a Disconnect."""

    speed: bool = False
    timeout: bool = False
    quota: bool = False
    pool: bool = False
    address_list: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One vendor's dialect.

    `encode`: the attributes of an Access-Accept (rule A6).
    `garden`: those that mark a suspended subscriber beside its pool (rule B10).
    `identify`: exactly what names a session in a CoA or Disconnect (rule C3): what a NAS does not
    expect there makes it refuse (radius.md F12).
    `change_speed`: all that a CoA must carry to change the speed of a session and nothing else;
    given the service as decided now, and the seconds and octets that the session has used.
    """

    vendor: Vendor
    capabilities: Capabilities
    encode: Callable[[Service], list[Pair]]
    garden: Callable[[str], list[Pair]]
    identify: Callable[[SessionIdentity], dict[str, str]]
    change_speed: Callable[[Service, int, int], dict[str, str]]


def integer(name: str, value: int, limit: int = INTEGER_LIMIT) -> Pair:
    """A number from 1 to `limit`; what lies outside becomes the nearest (never 0: rule A5)."""
    return (name, ":=", str(min(max(value, 1), limit)))


def text(name: str, value: str) -> Pair:
    """A text of the reply, backslashes doubled (F6). Raises ValueError when it can't be sent."""
    if not value or not value.isprintable() or len(value.encode()) > TEXT_OCTETS_LIMIT:
        raise ValueError(f"{name} is empty, too long or not printable")
    return (name, ":=", escaped(value))


def octets(name: str, value: str) -> Pair:
    """A text sent as octets (Class). Raises ValueError when it can't be sent."""
    encoded = value.encode()
    if not 0 < len(encoded) <= TEXT_OCTETS_LIMIT:
        raise ValueError(f"{name} is empty or too long")
    return (name, ":=", f"0x{encoded.hex()}")


def escaped(value: str) -> str:
    """FreeRADIUS reads values like double-quoted text: a backslash is written as two (F6)."""
    return value.replace("\\", "\\\\")


def gigawords(total_octets: int) -> tuple[int, int]:
    """Octets as (gigawords, rest); the rest is never 0, which some NAS read as unlimited (A5).

    A limit that ends exactly on 2^32 octets becomes one octet less.
    """
    high, low = divmod(min(max(total_octets, 1), _OCTETS_LIMIT), _GIGAWORD_OCTETS)
    return (high, low) if low else (high - 1, _GIGAWORD_OCTETS - 1)


def quota(low_name: str, high_name: str, total_octets: int) -> list[Pair]:
    """An octet limit, with gigawords where it needs them (rule A5)."""
    high, low = gigawords(total_octets)
    pairs = [(low_name, ":=", str(low))]
    if high:
        pairs.append((high_name, ":=", str(high)))
    return pairs


def no_garden(_pool: str) -> list[Pair]:
    """The pool alone marks a suspended subscriber."""
    return []

"""What every vendor file provides, and the checks of a value before it is sent.

FreeRADIUS sends an invalid value as zero, and un-escapes texts (radius.md F6): so a value is
checked and escaped here, where it becomes a text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from billing.model.decision import Service
from billing.model.grants import NasCan
from billing.model.network import SessionIdentity, Vendor

Pair = tuple[str, str, str]
"""Name, operator and value of one attribute of a reply."""
Attributes = tuple[tuple[str, str], ...]
"""Names and values of a CoA-Request or Disconnect-Request; a name may occur more than once."""

TEXT_OCTETS_LIMIT = 253
INTEGER_LIMIT = 2**32 - 1
# Some NAS read seconds as signed; 68 years are enough for all.
SECONDS_LIMIT = 2**31 - 1
_GIGAWORD_OCTETS = 2**32
_OCTETS_LIMIT = 2**62


class Part(StrEnum):
    """A part of a running session's service that a NAS enforces by itself."""

    SPEED = "speed"
    TIMEOUT = "timeout"
    QUOTA = "quota"


class OctetLimit(StrEnum):
    """What a NAS ends a session at by itself: nothing, a number of octets of both directions
    together, or one of each."""

    NONE = "none"
    TOTAL = "total"
    EACH = "each"


_LIMITS = {
    OctetLimit.NONE: NasCan.NOTHING,
    OctetLimit.TOTAL: NasCan.LIMITS_TOTAL,
    OctetLimit.EACH: NasCan.LIMITS_EACH,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a CoA changes in a running session (rule C4); all else needs a Disconnect.

    `fence`: a subscriber is fenced in and let out again by a policy of the NAS, keeping its
    address. No NAS here changes a pool or an address by CoA. `interim`: how often usage is
    reported. `octets`: the limit of octets that an Access-Accept sets (rule Q4).
    """

    speed: bool = False
    timeout: bool = False
    quota: bool = False
    fence: bool = False
    interim: bool = False
    octets: OctetLimit = OctetLimit.NONE

    @property
    def nas_can(self) -> NasCan:
        """The same as the meter is told it with a grant."""
        able = _LIMITS[self.octets]
        if self.timeout:
            able |= NasCan.MOVES_TIME
        if self.quota:
            able |= NasCan.MOVES_OCTETS
        if self.fence:
            able |= NasCan.FENCES
        if self.speed and self.timeout and (self.quota or self.octets is OctetLimit.NONE):
            able |= NasCan.RESTRICTS
        return able

    def covers(self, parts: Collection[Part]) -> bool:
        """Whether a CoA can change every one of these."""
        return all(getattr(self, part.value) for part in parts)


@dataclass(frozen=True, slots=True)
class Used:
    """What a session has used, by its last accounting; limits of a CoA count from its start.
    `input_octets` is what of `octets` the subscriber has sent."""

    seconds: int
    octets: int
    input_octets: int = 0

    @property
    def output_octets(self) -> int:
        return self.octets - self.input_octets


def _no_fence(_service: Service) -> Attributes:
    raise ValueError("this NAS cannot be told by CoA to fence a subscriber in")


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One vendor's dialect.

    `encode`: the attributes of an Access-Accept (rule A6).
    `garden`: those that mark a suspended subscriber beside its pool (rule B10).
    `identify`: what names a session in a CoA or Disconnect (rule C3), and no more, as extras make
    some NAS refuse (radius.md F12); more than one way where a NAS is known to differ: the next is
    tried when the session was not found.
    `change`: all that a CoA must carry to change these parts of a session (F12).
    `fence`, `let_out`: a CoA into the walled garden and out of it (rules B10, P9), for those whose
    capabilities say so.
    `resets`: what a CoA that leaves it out sets back (F12): a subscriber's own go into every one.
    """

    vendor: Vendor
    capabilities: Capabilities
    encode: Callable[[Service], list[Pair]]
    garden: Callable[[str], list[Pair]]
    identify: Callable[[SessionIdentity], tuple[Attributes, ...]]
    change: Callable[[Service, Used, Collection[Part]], Attributes]
    fence: Callable[[Service], Attributes] = _no_fence
    let_out: Callable[[Service], Attributes] = _no_fence
    resets: frozenset[str] = frozenset()

    def tellable(self, service: Service) -> Service:
        """Without a limit of octets that no CoA could lift when it ceases to hold (rule Q3):
        accounting ends what is used up."""
        limits = service.limits
        if not limits.is_provisional or self.capabilities.quota:
            return service
        return replace(service, limits=replace(limits, total_octets=None, is_provisional=False))


def integer(name: str, value: int, limit: int = INTEGER_LIMIT) -> Pair:
    """A number from 1 to `limit`; what lies outside becomes the nearest (never 0: rule A5)."""
    return (name, ":=", str(min(max(value, 1), limit)))


def text(name: str, value: str) -> Pair:
    """A text of the reply, backslashes doubled (F6). Raises ValueError when it can't be sent."""
    return (name, ":=", escaped(checked_text(name, value)))


def checked_text(name: str, value: str) -> str:
    """A text as it is; raises ValueError when it can't be sent."""
    if not value or not value.isprintable() or len(value.encode()) > TEXT_OCTETS_LIMIT:
        raise ValueError(f"{name} is empty, too long or not printable")
    return value


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


def session_timeout(service: Service, used: Used) -> list[Pair]:
    """Session-Timeout of a CoA, counted from the session's start like the one in the Accept."""
    left_seconds = service.limits.session_seconds
    if left_seconds is None:
        return []
    return [integer("Session-Timeout", used.seconds + max(left_seconds, 1), SECONDS_LIMIT)]


def attributes(pairs: Iterable[Pair]) -> Attributes:
    """Pairs of numbers (nothing in them is escaped) as what a CoA carries."""
    return tuple((name, value) for name, _, value in pairs)


def no_garden(_pool: str) -> list[Pair]:
    """The pool alone marks a suspended subscriber."""
    return []

"""Grants: what running sessions hold of a strictly shared allowance (rule Q4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag, StrEnum


class NasCan(IntFlag):
    """What a NAS can do about a grant. The functions in sql/ know the bits by their numbers."""

    NOTHING = 0
    LIMITS_TOTAL = 1
    """It ends a session at a number of octets, both directions together."""
    LIMITS_EACH = 2
    """The same, each direction by itself."""
    MOVES_TIME = 4
    """A CoA changes Session-Timeout."""
    MOVES_OCTETS = 8
    """A CoA changes the limit of octets."""
    RESTRICTS = 16
    """A CoA slows a session down and lifts its limits."""
    FENCES = 32
    """A CoA puts a session into the walled garden."""


class GrantState(StrEnum):
    """HELD, then once and for good POSTED with its session, or RELEASED as none ever showed."""

    HELD = "held"
    POSTED = "posted"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantLimits:
    """What a NAS is to enforce of a grant, counted from the session's start. None: no such limit.

    `input_octets` and `output_octets` are for a NAS that limits each direction.
    """

    seconds: int
    octets: int | None = None
    input_octets: int | None = None
    output_octets: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantView:
    """A reservation as people see it. Quantities count from the start of the session, None: not
    limited. `final`: nothing more could be reserved; `restricted`: it goes on at the plan's
    restricted speed, without a limit."""

    reservation_id: int
    session_id: int | None
    acct_session_id: str | None
    nas_name: str | None
    calling_station: str | None
    state: GrantState
    taken_at: datetime
    ended_at: datetime | None
    valid_until: datetime
    granted_seconds: int | None
    granted_octets: int | None
    used_seconds: int
    used_octets: int
    enforced: bool
    """Whether its NAS ends the session at the limits by itself."""
    final: bool
    restricted: bool

    @property
    def seconds_left(self) -> int | None:
        return _left(self.granted_seconds, self.used_seconds)

    @property
    def octets_left(self) -> int | None:
        return _left(self.granted_octets, self.used_octets)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverspendView:
    """What was used after an allowance was used up (rule P12): that of these packages, or, with
    `wallet_id`, what pay-as-you-go took past the limit of that wallet, in micros of `currency`."""

    overspend_id: int
    username: str
    entitlement_ids: tuple[int, ...]
    exhausted_at: datetime
    last_at: datetime
    seconds: int
    octets: int
    wallet_id: int | None
    micros: int
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaView:
    """The allowance of a subscription, who holds what of it, and what was overspent.

    `reservable_*`: what no session holds yet; None: not limited.
    """

    username: str
    strict: bool
    reservable_seconds: int | None
    reservable_octets: int | None
    grants: tuple[GrantView, ...]
    overspends: tuple[OverspendView, ...]


def _left(granted: int | None, used: int) -> int | None:
    return None if granted is None else max(granted - used, 0)

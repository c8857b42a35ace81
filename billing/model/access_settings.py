"""From where, when and how often a subscription may log in, and with which address (rule A4)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """None and empty: not limited, no address of its own. `macs` as 12 lower-case hex digits;
    `login_hours` like `mon-fri 08:00-20:00`."""

    macs: tuple[str, ...] = ()
    nas_ids: tuple[int, ...] = ()
    login_hours: str | None = None
    session_limit: int | None = None
    framed_ip: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A running session, as far as these settings speak of it; oldest ones have lower numbers.
    `suspended`: it was let into the suspended pool, whose addresses are not its own (rule B10)."""

    session_id: int
    nas_id: int
    calling_station: str | None
    framed_ip: str | None
    suspended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a change came to: the settings now, the names of those that differ from before,
    sessions that were ordered to end, and those that go on as they began."""

    settings: AccessSettings
    names: tuple[str, ...]
    ended: int
    running: int

"""Requests as typed values: what the hooks make of RADIUS pairs, whatever the vendor."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from functools import lru_cache

from billing.model.grants import GrantLimits, NasCan
from billing.model.network import Link

COUNTER_LIMIT = 2**62
USERNAME_LIMIT = 253

_MAC = re.compile(
    r"^[0-9a-f]{2}([:.\- ]?)(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}$"
    r"|^[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}$"
)

_NO_SEPARATORS = str.maketrans("", "", ":.- ")


@lru_cache(maxsize=16_384)
def fold_username(name: str) -> str:
    """The one place where user names are folded: case, outer blanks, MAC separators (rule A1)."""
    folded = name.strip().casefold()
    return fold_station(folded) if len(folded) in (12, 14, 17) else folded


@lru_cache(maxsize=16_384)
def fold_station(station: str) -> str:
    """A MAC with any separator becomes 12 lower-case hex digits; anything else is kept, folded.

    An SSID appended to a Called-Station-Id (`MAC:ssid`) is left alone.
    """
    folded = station.strip().casefold()
    return folded.translate(_NO_SEPARATORS) if _MAC.match(folded) else folded


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """An Access-Request. `nas_address` is the packet's source, `username` already folded."""

    username: str
    nas_address: str
    calling_station: str | None = None
    called_station: str | None = None
    nas_port_id: str | None = None
    link: Link = Link.OTHER
    sent_username: str = field(default="", repr=False)
    """User-Name before folding: it may be a voucher's code, and its password too (rule R3)."""


@dataclass(frozen=True, slots=True)
class LoginRecord:
    """One finished Access-Request, for the history (rule A3). 0 stands for unknown ids."""

    username: str
    customer_id: int
    subscription_id: int
    nas_address: str
    calling_station: str | None
    outcome: str
    reason: str
    entitlement_id: int
    at: datetime
    session_limit: int = 0
    pool_id: int = 0
    silence_seconds: int = 0
    grant_version_id: int = 0
    """As in model.decision.Admission: what must be taken before it is answered."""
    nas_can: NasCan = NasCan.NOTHING


@dataclass(frozen=True, slots=True)
class Admitted:
    """What a login ends with once all was taken: its own reason, or why it is refused after all;
    its address where one of our pools gave it, and its grant (rule Q4)."""

    reason: str
    address: str | None = None
    netmask: str | None = None
    reservation_id: int | None = None
    grant: GrantLimits | None = None


class Status(IntEnum):
    """Acct-Status-Type (RFC 2866 5.1)."""

    START = 1
    STOP = 2
    INTERIM = 3
    ON = 7
    OFF = 8


@dataclass(frozen=True, slots=True)
class AccountingRecord:
    """An Accounting-Request, bounded and typed; None means absent or unusable (rule U4).

    Octets are from the subscriber's side after `swap_octets`: input = sent by the subscriber.
    `has_gigawords` tells a 64-bit counter from one that wraps at 2^32. `precise_time` is true
    when the NAS sent a credible Event-Timestamp, or Acct-Delay-Time, so that a resend keeps its
    instant.
    `anomalies` are codes of what was odd; `raw` keeps the values that could not be used.
    `sent_username` is User-Name before folding: a Disconnect must repeat it exactly (rule C3).
    Accounting-On and -Off have neither a user name nor a session: both are empty.
    """

    status: Status
    username: str
    nas_address: str
    acct_session_id: str
    arrived_at: datetime
    event_at: datetime
    precise_time: bool
    session_seconds: int | None = None
    input_octets: int | None = None
    output_octets: int | None = None
    has_gigawords: bool = False
    framed_ip: str | None = None
    framed_ipv6_prefix: str | None = None
    framed_ipv6_address: str | None = None
    delegated_ipv6_prefix: str | None = None
    framed_interface_id: str | None = None
    calling_station: str | None = None
    called_station: str | None = None
    nas_port_id: str | None = None
    session_class: str | None = None
    terminate_cause: str | None = None
    anomalies: tuple[str, ...] = ()
    raw: str | None = None
    sent_username: str = ""


class Unusable(StrEnum):
    """Why an Accounting-Request belongs to no session (radius.md F5)."""

    UNKNOWN_STATUS = "unknown-status"
    NO_USERNAME = "no-username"
    BAD_USERNAME = "bad-username"
    NO_SESSION_ID = "no-session-id"
    BAD_SESSION_ID = "bad-session-id"
    NO_SOURCE = "no-source"
    NOT_STORABLE = "not-storable"


@dataclass(frozen=True, slots=True)
class UnusableRecord:
    """An Accounting-Request that can't be tied to a session: kept as a dead letter, answered.

    `nas_address` is always an address (0.0.0.0 when the source is not known); `raw` is every
    pair, bounded and storable as text, passwords left out.
    """

    reason: Unusable
    nas_address: str
    arrived_at: datetime
    raw: str

"""The outcome of an access request, as a value (rule A3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from billing.model.own_reply import OwnReply


class Reason(StrEnum):
    """Why access was granted, steered to the suspended pool or refused.

    One list for Reply-Message, logs, metrics and the panel. The comment names the rule.
    """

    OK = "ok"  # S8
    UNKNOWN_USER = "unknown-user"  # A3: told apart only in our own records
    BAD_PASSWORD = "bad-password"  # noqa: S105 (a reason, not a secret)
    NO_CREDENTIAL = "no-credential"  # A4
    BAD_REQUEST = "bad-request"  # a name that is not UTF-8, no User-Name
    TUNNEL_FAILED = "tunnel-failed"  # A2: PEAP or EAP-TTLS ended before it brought a password
    OUTER_NAME = "outer-name"  # A2: the name outside of the tunnel is somebody else's
    CLOSED = "closed"  # S1
    STAFF_SUSPENDED = "staff-suspended"  # S2
    PAUSED = "paused"  # S3
    DISCONTINUED = "discontinued"  # S4, B15
    OVERDUE = "overdue"  # S5, B9
    WALLET_EXHAUSTED = "wallet-exhausted"  # S6, P8
    SPENDING_CAP = "spending-cap"  # S6, P14
    NOT_COVERED = "not-covered"  # S6, P10
    NO_ENTITLEMENT = "no-entitlement"  # S7: nothing was bought
    EXPIRED = "expired"  # S7, B3
    TIME_USED_UP = "time-used-up"  # S7
    DATA_USED_UP = "data-used-up"  # S7
    NAS_NOT_ALLOWED = "nas-not-allowed"  # A4
    MAC_NOT_ALLOWED = "mac-not-allowed"  # A4
    OUTSIDE_HOURS = "outside-hours"  # A4
    TOO_MANY_SESSIONS = "too-many-sessions"  # A4, A7
    POOL_EXHAUSTED = "pool-exhausted"  # A6
    ALLOWANCE_IN_USE = "allowance-in-use"  # Q4: other sessions hold all that is left
    THROTTLED = "throttled"  # A4
    UNAVAILABLE = "unavailable"  # A8
    SNAPSHOT = "snapshot"  # A8: granted during an outage by what was last known


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the NAS enforces (rule A5). None: no limit. Never 0: some NAS read 0 as unlimited."""

    session_seconds: int | None = None
    total_octets: int | None = None
    is_provisional: bool = False
    """The octets hold until a tariff switch only (rule Q3): for NAS that a CoA can tell others."""
    input_octets: int | None = None
    output_octets: int | None = None
    """The shares of `total_octets` that each direction may use, for a NAS that limits each, where
    the total must not be passed (rule Q4); None: all of it by either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What an accepted subscriber gets; the vendor encoders turn it into attributes (rule A6)."""

    pool: str | None = None
    leased_pool: str | None = None
    """A pool of our own, in place of `pool`: the address is added after the password was verified
    (rule A6), and the NAS is told of no pool."""
    framed_ip: str | None = None
    speed_up_kbps: int | None = None
    speed_down_kbps: int | None = None
    interim_seconds: int = 300
    idle_timeout_seconds: int | None = None
    limits: Limits = Limits()
    session_class: str = ""
    own_reply: OwnReply | None = None
    """What this subscriber alone is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    service: Service
    activate_entitlement_id: int | None = None
    """Set when this login starts a first-login package (rule B2); written in post_auth."""
    reason: Reason = Reason.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspended:
    """Accepted into the suspended pool (rule B10)."""

    reason: Reason
    service: Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    reason: Reason


Decision = Accept | Suspended | Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a granted login must take after its password was verified (rules A6, A7, Q4); 0:
    nothing.

    `silence_seconds`: for how long its session may be silent and still hold its place (rule U10).
    `grant_version_id`: the version of a plan whose slice it takes; `normal_seconds`: how long its
    service would run without (0: not limited).
    """

    session_limit: int = 0
    pool_id: int = 0
    silence_seconds: int = 0
    grant_version_id: int = 0
    normal_seconds: int = 0


MESSAGES: dict[Reason, str] = {
    Reason.UNKNOWN_USER: "Wrong user name or password",
    Reason.BAD_PASSWORD: "Wrong user name or password",
    Reason.NO_CREDENTIAL: "Wrong user name or password",
    Reason.BAD_REQUEST: "The request could not be read",
    Reason.TUNNEL_FAILED: "No password came: let the device use PEAP or EAP-TTLS and trust us",
    Reason.OUTER_NAME: "The anonymous identity must be empty, anonymous, or the user name",
    Reason.CLOSED: "This account is closed",
    Reason.STAFF_SUSPENDED: "This account is suspended; please call support",
    Reason.PAUSED: "This account is paused; resume it to go online",
    Reason.DISCONTINUED: "Service ended because a bill is unpaid; pay it to go online",
    Reason.OVERDUE: "A bill is overdue; pay it to go online",
    Reason.WALLET_EXHAUSTED: "Your balance is used up; please recharge",
    Reason.SPENDING_CAP: "Your spending cap of this month is reached; lift it to go online",
    Reason.NOT_COVERED: "Your balance does not cover the next period; please recharge",
    Reason.NO_ENTITLEMENT: "No package; please buy one",
    Reason.EXPIRED: "Your package has expired; please buy a new one",
    Reason.TIME_USED_UP: "Your time is used up; please buy a new package",
    Reason.DATA_USED_UP: "Your data is used up; please buy a new package",
    Reason.NAS_NOT_ALLOWED: "You may not log in at this place",
    Reason.MAC_NOT_ALLOWED: "You may not log in from this device",
    Reason.OUTSIDE_HOURS: "You may not log in at this hour",
    Reason.TOO_MANY_SESSIONS: "You are logged in already; end the other session first",
    Reason.POOL_EXHAUSTED: "No address is free at the moment; try again in a few minutes",
    Reason.ALLOWANCE_IN_USE: "Your other sessions hold all that is left; end one, or wait a while",
    Reason.THROTTLED: "Too many failed logins; wait a few minutes",
    Reason.UNAVAILABLE: "The service is not available at the moment; try again",
}
"""Reply-Message of each reason: plain words that say what to do; nothing secret (rule A3)."""

"""Orders to running sessions as the sender sees them (rules C1–C4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from billing.model.decision import Service
from billing.model.network import Link, NasAddress, SessionIdentity, Vendor


class Goal(StrEnum):
    """What a running session is to become."""

    DISCONNECT = "disconnect"
    SUSPEND = "suspend"
    RESTORE = "restore"
    REFRESH = "refresh"
    """New limits, and everything else that its service now is (rule B4)."""
    SPEED = "speed"
    """Another speed, all else as it is (rule Q2)."""
    TARIFF = "tariff"
    """The limits from a tariff switch on (rule Q3). Where no CoA can tell them accounting ends
    what is used up: nobody is disconnected for it."""
    GRANT = "grant"
    """The limits of a grant that was topped up, all else as it is (rule Q4)."""
    RESTRICT = "restrict"
    """The restricted speed of its plan, and no limit of a grant any more (rule Q4)."""
    TIGHTEN = "tighten"
    """Usage reported more often, and the limits that are left (rule Q5)."""


LIMITS_ALONE = frozenset({Goal.TARIFF, Goal.GRANT, Goal.TIGHTEN})
"""A NAS that will not have new limits keeps those that it has, and ends the session there: nobody
is disconnected for it, and the order has failed."""
BY_SUBSCRIBER = "ended-by-subscriber"
"""The reason of an order that a subscriber gave, for a session of its own."""
BY_SETTINGS = "settings-changed"
"""Of one for a session that does not fit what its subscription may do now."""


class PacketKind(StrEnum):
    """RFC 5176 requests; `NONE`: the NAS has nothing to change."""

    COA = "CoA-Request"
    DISCONNECT = "Disconnect-Request"
    NONE = "none"


class Outcome(StrEnum):
    """What came of one packet. `UNSENT`: it could not be built or sent."""

    ACK = "ack"
    NAK = "nak"
    TIMEOUT = "timeout"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOrder:
    """One order that is due, for one running session.

    `service` is what the session should have now; None: nothing, or it does not matter.
    `escalated`: the NAS would not do it by CoA. `unknown_answers`: how often it has said that it
    does not know the session. `fenced`: a CoA has put this session into the walled garden.
    `used_*` are the totals that a new limit is added to.
    """

    customer_id: int
    intent_id: int
    org_id: int
    nas_id: int
    goal: Goal
    attempt: int
    escalated: bool
    created_at: datetime
    nas: NasAddress
    vendor: Vendor
    link: Link = Link.OTHER
    unknown_answers: int = 0
    fenced: bool = False
    identity: SessionIdentity
    service: Service | None
    used_seconds: int
    used_octets: int
    used_input_octets: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResult:
    """What one attempt came to; `error_cause` is the name of RFC 5176 3.5 or its number."""

    order: SessionOrder = field(repr=False)
    packet: PacketKind
    sent_at: datetime
    outcome: Outcome
    answered_at: datetime | None = None
    error_cause: str | None = None
    namings: int = 1
    """How many ways there are to name the session to this NAS."""

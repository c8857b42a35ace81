"""What a NAS's answer to an order, or its silence, leads to (rules C1, C4; RFC 5176 3.5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from billing.model.enforcement import Outcome, PacketKind

COA_ATTEMPTS = 3
"""Unanswered or put off so often, a CoA becomes a Disconnect."""
STOP_EXPECTED_WITHIN = timedelta(seconds=30)
# The longest interim interval in use, three times.
ACCOUNTING_EXPECTED_WITHIN = timedelta(minutes=15)
UNKNOWN_SESSION_DELAY = timedelta(minutes=1)
_UNKNOWN_SESSION_DELAYS = 5
SESSION_UNKNOWN = "Session-Context-Not-Found"

_AT_ONCE = timedelta(0)
# What the NAS will answer however often it is asked the same.
_PERMANENT = frozenset(
    {
        "Unsupported-Attribute",
        "Missing-Attribute",
        "NAS-Identification-Mismatch",
        "Invalid-Request",
        "Unsupported-Service",
        "Unsupported-Extension",
        "Invalid-Attribute-Value",
        "Administratively-Prohibited",
        "Multiple-Session-Selection-Unsupported",
    }
)
# What may be otherwise in a moment.
_PASSING = frozenset(
    {
        "Request-Not-Routable",
        "Session-Context-Not-Removable",
        "Other-Proxy-Processing-Error",
        "Resources-Unavailable",
        "Request-Initiated",
    }
)


class Refusal(StrEnum):
    """The classes of Error-Cause. `OTHER`: none was given, or an unknown one."""

    SESSION_UNKNOWN = "session unknown"
    PERMANENT = "permanent"
    PASSING = "passing"
    OTHER = "other"


def refusal(error_cause: str | None) -> Refusal:
    """The class of a NAK's Error-Cause, by the name of RFC 5176 3.5 or its number."""
    if error_cause == SESSION_UNKNOWN:
        return Refusal.SESSION_UNKNOWN
    if error_cause in _PERMANENT:
        return Refusal.PERMANENT
    return Refusal.PASSING if error_cause in _PASSING else Refusal.OTHER


@dataclass(frozen=True, slots=True)
class Consequence:
    """What becomes of an order after one attempt.

    `state`: confirmed | acked | failed; None: as it was. `wait` is the time until the next
    attempt; None: the back-off that runs already. `escalate`: the next packet is a Disconnect.
    """

    state: str | None = None
    wait: timedelta | None = None
    escalate: bool = False


_NOTHING_TO_SEND = Consequence(state="confirmed")
_STANDS = Consequence()
_DISCONNECT_NOW = Consequence(wait=_AT_ONCE, escalate=True)
_FAILED = Consequence(state="failed")


def consequence(
    packet: PacketKind,
    outcome: Outcome,
    error_cause: str | None,
    *,
    attempt: int,
    unknown_answers: int,
    namings: int,
    may_disconnect: bool = True,
) -> Consequence:
    """What follows from one attempt. `may_disconnect`: what no CoA does is done by a Disconnect.

    `attempt` counts the order's packets from 1; `unknown_answers` those before it to which the
    NAS said that it does not know the session, which it can be called by in `namings` ways.
    """
    if packet is PacketKind.NONE:
        return _NOTHING_TO_SEND
    is_coa = packet is PacketKind.COA
    if outcome is Outcome.ACK:
        wait = ACCOUNTING_EXPECTED_WITHIN if is_coa else STOP_EXPECTED_WITHIN
        return Consequence(state="acked", wait=wait)
    if outcome is Outcome.NAK:
        kind = refusal(error_cause)
        if kind is Refusal.SESSION_UNKNOWN:
            return _call_it_otherwise(unknown_answers + 1, namings)
        if kind is Refusal.PERMANENT:
            return _DISCONNECT_NOW if is_coa and may_disconnect else _FAILED
        if kind is Refusal.OTHER and is_coa:
            return _DISCONNECT_NOW if may_disconnect else _FAILED
    if is_coa and attempt >= COA_ATTEMPTS:
        return Consequence(escalate=True) if may_disconnect else _FAILED
    return _STANDS


def _call_it_otherwise(unknown_answers: int, namings: int) -> Consequence:
    """The next name at once; when there is none left, again later: the Stop may be on its way,
    or lost, which accounting will show."""
    if unknown_answers % max(namings, 1):
        return Consequence(wait=_AT_ONCE)
    rounds = unknown_answers // max(namings, 1)
    return Consequence(wait=min(rounds, _UNKNOWN_SESSION_DELAYS) * UNKNOWN_SESSION_DELAY)

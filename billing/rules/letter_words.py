"""Why an accounting record belongs to no session, and what to do about it (radius.md F5)."""

from __future__ import annotations

from billing.model.events import Unusable

UNKNOWN_USER, UNKNOWN_NAS = "unknown-user", "unknown-nas"
"""What the meter itself says (charge_usage_v1)."""

_WORDS = {
    UNKNOWN_USER: "no subscriber has this user name",
    UNKNOWN_NAS: "no NAS has this address: `tollway nas add`",
    Unusable.UNKNOWN_STATUS: "neither Start, Interim-Update nor Stop, nor a NAS going on or off",
    Unusable.NO_USERNAME: "the NAS sent no user name",
    Unusable.BAD_USERNAME: "the user name is too long, or no UTF-8",
    Unusable.NO_SESSION_ID: "the NAS sent no Acct-Session-Id",
    Unusable.BAD_SESSION_ID: "the Acct-Session-Id is too long, or no text",
    Unusable.NO_SOURCE: "the sender's address is not known",
    Unusable.NOT_STORABLE: "the database refused it: tell who maintains this program",
}
KNOWN = tuple(str(reason) for reason in _WORDS)


def letter_words(reason: str) -> str:
    """A reason in plain words; one that this version does not know stays as it is."""
    return _WORDS.get(reason, reason)
